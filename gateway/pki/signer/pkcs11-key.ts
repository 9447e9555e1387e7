// A key in a PKCS#11 token, used through OpenSC's pkcs11-tool: a maker's library then runs in a process of its own and
// cannot harm ours. The key is made in the token and cannot be read out of it.
import { spawn } from 'node:child_process';
import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { type KeyAccess, type KeyRecord, type Pkcs11Access, type Signer, SignerError } from './signer.ts';

const TOOL = 'pkcs11-tool';
/** A network HSM answers within this, or is broken; in milliseconds. */
const TIME_LIMIT = 20_000;
const MAX_OUTPUT = 64 * 1024;

export async function makePkcs11Key(access: KeyAccess): Promise<KeyRecord> {
  const token = tokenOf(access);
  const id = randomBytes(8).toString('hex');
  const what = ['--key-type', 'EC:prime256v1', '--id', id, '--label', `sallyport-${id}`];
  await run(token, ['--login', '--keypairgen', ...what, '--usage-sign']);
  const spki = await run(token, ['--read-object', '--type', 'pubkey', '--id', id]);
  return { kind: 'pkcs11', public: spki.toString('base64'), id };
}

export function openPkcs11Key(record: KeyRecord, access: KeyAccess, name: string): Signer {
  const token = tokenOf(access);
  const { id } = record;
  if (typeof id !== 'string' || !/^[0-9a-f]{16}$/.test(id)) {
    throw new SignerError('key-unreadable', `${name} names no key of a token`);
  }
  const how = ['--login', '--sign', '--mechanism', 'ECDSA', '--signature-format', 'openssl'];
  return {
    place: 'pkcs11',
    publicKey: createPublicKey({ key: Buffer.from(record.public, 'base64'), format: 'der', type: 'spki' }),
    sign: (data) => run(token, [...how, '--id', id], createHash('sha256').update(data).digest()),
  };
}

function tokenOf({ pkcs11 }: KeyAccess): Pkcs11Access {
  if (pkcs11 !== undefined) return pkcs11;
  throw new SignerError('key-place-missing', 'the key is in a PKCS#11 token: say which with pki.pkcs11');
}

/** The last use of each token: SoftHSM for one hides its tokens from whoever comes while another one is opening them. */
const lastUse = new WeakMap<Pkcs11Access, Promise<unknown>>();

/** What the tool wrote to its standard output, one use of a token after the other. */
function run(token: Pkcs11Access, args: readonly string[], input?: Buffer): Promise<Buffer> {
  const used = (lastUse.get(token) ?? Promise.resolve()).then(() => use(token, args, input));
  lastUse.set(
    token,
    used.catch(() => undefined),
  );
  return used;
}

/** The PIN goes by the environment, which only this user can read. */
async function use(token: Pkcs11Access, args: readonly string[], input?: Buffer): Promise<Buffer> {
  const common = ['--module', token.module, '--token-label', token.token, '--pin', 'env:SALLYPORT_PIN'];
  const child = spawn(TOOL, [...common, ...args], {
    env: { ...process.env, SALLYPORT_PIN: token.pin() },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIME_LIMIT,
  });
  const said = { out: Buffer.alloc(0), error: Buffer.alloc(0) };
  child.stdout.on('data', (chunk: Buffer) => {
    if (said.out.length < MAX_OUTPUT) said.out = Buffer.concat([said.out, chunk]);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.error.length < MAX_OUTPUT) said.error = Buffer.concat([said.error, chunk]);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise.catch((cause: Error) => {
    const message = `${TOOL} cannot be run (${cause.message}): install the package opensc`;
    throw new SignerError('key-place-missing', message, { cause });
  });
  if (code === 0 && said.out.length > 0) return said.out;
  throw failure(token, said.error.toString('latin1'));
}

function failure({ token, module }: Pkcs11Access, words: string): SignerError {
  if (/CKR_PIN_/.test(words)) return new SignerError('key-locked', `the token ${token} refused the PIN`);
  if (/object not found|key not found/i.test(words)) {
    return new SignerError('key-lost', `the token ${token} does not have this key`);
  }
  const line = /error: [^\n]*|No slot[^\n]*|Failed to load[^\n]*/i.exec(words)?.[0] ?? words.slice(0, 200);
  const missing = /slot|token|load/i.test(line) && !/C_Sign|C_Generate/.test(line);
  const said = line.replace(/[^\x20-\x7e]/g, ' ').trim();
  return missing
    ? new SignerError('key-place-missing', `the token ${token} cannot be reached through ${module}: ${said}`)
    : new SignerError('key-refused', `the token ${token} refused: ${said}`);
}
