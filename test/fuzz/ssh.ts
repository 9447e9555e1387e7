// Corpus: people's SSH keys, addresses and certificates, broken in their bytes. What is issued is for the key and the
// account that were meant, no mutant of a certificate or a list is believed, and all else is refused by name.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SshFormatError, SshReader, sshString } from '#gateway/change/ssh-reader';
import { IssueError } from '#gateway/pki/issued';
import { SshAuthority } from '#gateway/pki/ssh/authority';
import { readSshCertificate } from '#gateway/pki/ssh/certificate';
import { sshSchema } from '#gateway/pki/ssh/config';
import { SshIssuing } from '#gateway/pki/ssh/issuing';
import { readKrl, writeKrl } from '#gateway/pki/ssh/krl';
import { readKeyLine } from '#gateway/pki/ssh/public-key';
import { mutateBytes, mutateText } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const PIECES: readonly string[] = [
  ...[
    '\0',
    '\n',
    '\r',
    ' ',
    ',',
    '=',
    '"',
    '\\',
    '@',
    'root',
    'deploy',
    '*',
    '!',
    'é',
    '%',
    '../',
    '-cert-v01@',
  ],
  ...[
    'ssh-ed25519 ',
    'ssh-rsa ',
    'ecdsa-sha2-nistp256 ',
    'sk-ssh-ed25519@openssh.com ',
    'AAAA',
    '////',
    '==',
  ],
];
const APPS = {
  shell: sshSchema.parse({ principals: ['deploy', '{user}'], domain: 'example.com' }),
  own: sshSchema.parse({ principals: ['{user}'], domain: 'example.com' }),
};
const OWN_ACCOUNT = /^[a-z_][a-z0-9_.-]{0,30}$/;

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  try {
    const { signer } = await SshAuthority.open(directory, { now: Date.now });
    const issuing = new SshIssuing(APPS, 1_000_000, Date.now);
    const blobs = [ed25519(), p256()];
    const lines = blobs.map((blob) => `${new SshReader(blob).text()} ${blob.toString('base64')} ada@laptop`);
    let decisions = 0;

    const issue = async (key: Buffer, email: string, app = 'shell'): Promise<Buffer> => {
      decisions += 1;
      const who = { person: { id: 'https://id#1', email }, session: 's', decision: String(decisions) };
      const until = Date.now() + 3_600_000;
      const { certificate } = await issuing.issue(
        { app, key: key.toString('base64'), ...who, until },
        signer,
      );
      const blob = Buffer.from(certificate.split(' ')[1] ?? '', 'base64');
      const read = readSshCertificate(blob);
      if (!read.key.equals(key)) throw new Error('a certificate for another key');
      const wrong = read.principals.find(
        (one) =>
          one === 'root' ||
          (one !== 'deploy' && !OWN_ACCOUNT.test(one)) ||
          (one === 'deploy' && app === 'own'),
      );
      if (wrong !== undefined || read.principals.length === 0) throw new Error(`a certificate for ${wrong}`);
      return blob;
    };
    const line = async (text: string): Promise<void> => {
      const { type, blob } = readKeyLine(text);
      if (!text.startsWith(`${type} ${blob.toString('base64')}`)) throw new Error('read in two ways');
      await issue(blob, 'ada@example.com');
    };
    const [first = Buffer.alloc(0)] = blobs;
    const certificate = await issue(first, 'ada@example.com');
    const krl = writeKrl([{ authority: signer.blob.toString('base64'), serial: 7n }], Date.now());
    const believed = async (mutant: Buffer): Promise<void> => {
      if (mutant.equals(certificate)) return;
      // Whoever signs it by another authority says so in it.
      if (readSshCertificate(mutant).authority.equals(signer.blob)) throw new Error('a mutant was believed');
    };
    const refusedByName = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof IssueError || error instanceof SshFormatError)) throw error;
      }
    };

    while (tally.more) {
      const kind = dice.below(10);
      const text = mutateText(kind < 3 ? dice.pick(lines) : 'ada@example.com', PIECES, dice);
      const source = kind < 6 ? dice.pick(blobs) : kind < 9 ? certificate : krl;
      const bytes = mutateBytes(source, dice);
      const work = (): Promise<unknown> => {
        if (kind < 3) return line(text);
        if (kind < 5) return issue(first, text, dice.pick(['shell', 'own']));
        if (kind < 6) return issue(bytes, 'ada@example.com');
        return kind < 9 ? believed(bytes) : Promise.resolve().then(() => readKrl(bytes));
      };
      await tally.trial(
        () => (kind < 5 ? JSON.stringify(text) : bytes.toString('base64')),
        () => refusedByName(work),
      );
    }
    return tally.figures();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function ed25519(): Buffer {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return Buffer.concat(['ssh-ed25519', Buffer.from(x, 'base64url')].map(sshString));
}

function p256(): Buffer {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const [x, y] = [key.x ?? '', key.y ?? ''].map((text) => Buffer.from(text, 'base64url'));
  const point = Buffer.concat([Buffer.from([4]), x ?? Buffer.alloc(0), y ?? Buffer.alloc(0)]);
  return Buffer.concat(['ecdsa-sha2-nistp256', 'nistp256', point].map(sshString));
}
