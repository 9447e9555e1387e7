// Corpus: certificate requests, certificates and enrolment tokens, broken in their bytes. The authority signs nothing
// but what it shapes itself, no mutant of a certificate is admitted, and a token opens once or never.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import { type webcrypto, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { IssueError, openAuthority } from '#gateway/pki/authority';
import { connectorOf, EnrolmentDesk, EnrolmentError } from '#gateway/pki/enrolment';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { mutateBytes, mutateText } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const HOUR = 3_600_000;
const DOMAIN = 'sallyport.internal';
/** Extended key usage: TLS client authentication. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const NAMES: readonly string[] = [
  ...[
    `URI:spiffe://${DOMAIN}/connector/rack-1`,
    `DNS:rack-1, URI:spiffe://${DOMAIN}/connector/rack-1`,
    `URI:spiffe://${DOMAIN}/connector/`,
  ],
  ...[
    `URI:spiffe://${DOMAIN}/connector/rack-1, URI:spiffe://${DOMAIN}/connector/rack-2`,
    `URI:"spiffe://${DOMAIN}/connector/rack-1"`,
  ],
];
const PIECES: readonly string[] = [
  '\0',
  ', ',
  'URI:',
  'DNS:',
  '"',
  '\\',
  '/',
  '..',
  '%2f',
  'connector',
  '\u0000',
  'É',
  ' ',
  'othername:',
  'spiffe://',
];

const WISH = {
  uri: `spiffe://${DOMAIN}/connector/rack-1`,
  life: HOUR,
  grant: { kind: 'admin', id: 'fuzz' },
} as const;

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Fuzz', Date.now);
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const desk = new EnrolmentDesk({
    store,
    authority,
    trustDomain: DOMAIN,
    certificateLife: HOUR,
    now: Date.now,
  });
  try {
    const { pem, der } = await request();
    const certificate = await authority.issueClient({ ...WISH, csr: pem });
    const issued = new X509Certificate(certificate.certificate);
    let { token } = await desk.createToken('rack-1', HOUR, 'fuzz');
    const { uri } = WISH;

    const issue = async (csr: string): Promise<void> => {
      try {
        const { certificate: text } = await authority.issueClient({ ...WISH, csr });
        const made = new X509Certificate(text);
        const shaped =
          !made.ca && made.subjectAltName === `URI:${uri}` && made.keyUsage?.join() === CLIENT_AUTH;
        if (!shaped) throw new Error(`issued ${made.subjectAltName} ca=${made.ca} usage=${made.keyUsage}`);
      } catch (error) {
        if (!(error instanceof IssueError)) throw error;
      }
    };
    const admit = async (raw: Buffer): Promise<void> => {
      const mutant = parsed(raw);
      // Bytes behind the certificate are not part of it.
      if (mutant === undefined || mutant.raw.equals(issued.raw)) return;
      if (authority.vouchesFor(mutant)) throw new Error('a mutant was vouched for');
    };
    const enrol = async (mutant: string): Promise<void> => {
      try {
        await desk.enrol(mutant, 'no request at all');
        throw new Error('a certificate for nothing');
      } catch (error) {
        if (!(error instanceof EnrolmentError || error instanceof IssueError)) throw error;
        // The secret outlived the mistake, so the token is burnt: what was asked with it was refused all the same.
        if (mutant.includes('.') && holds(mutant, token))
          ({ token } = await desk.createToken('rack-1', HOUR, 'fuzz'));
      }
    };
    const name = async (san: string): Promise<void> => {
      const found = connectorOf(san, DOMAIN);
      if (found !== undefined && san !== `URI:spiffe://${DOMAIN}/connector/${found}`)
        throw new Error(`taken for ${found}`);
    };

    while (tally.more) {
      const kind = dice.below(10);
      const bytes = mutateBytes(kind < 4 ? der : issued.raw, dice);
      const text = mutateText(kind < 9 ? token : dice.pick(NAMES), PIECES, dice);
      if (kind < 4)
        await tally.trial(
          () => bytes.toString('base64'),
          () => issue(toPem(bytes)),
        );
      else if (kind < 7)
        await tally.trial(
          () => bytes.toString('base64'),
          () => admit(bytes),
        );
      else
        await tally.trial(
          () => JSON.stringify(text),
          () => (kind < 9 ? enrol(text) : name(text)),
        );
    }
    return tally.figures();
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function request(): Promise<{ pem: string; der: Buffer }> {
  const keys = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=rack-1, O=Evil',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, 2, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'evil.example' }]),
    ],
  });
  return { pem: made.toString('pem'), der: Buffer.from(made.rawData) };
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function parsed(raw: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(raw);
  } catch {
    return undefined;
  }
}

/** Whether a broken token still carries the secret of the whole one. */
function holds(mutant: string, token: string): boolean {
  const read = (text: string): string => {
    try {
      return String(JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8')).secret);
    } catch {
      return '';
    }
  };
  return read(mutant) === read(token);
}
