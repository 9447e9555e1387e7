// What `sallyport login` leaves on a person's computer: one gateway, one token, readable by them alone.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { looseness } from '#connectors/wire/private-file';

export interface Credentials {
  /** The portal's origin. */
  readonly portal: string;
  readonly token: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  readonly name: string;
  /** PEM to trust for the portal instead of the system's authorities. */
  readonly ca?: string;
}

/** Nobody is signed in on this computer, or not safely. `message` says what to do. */
export class CredentialsError extends Error {
  readonly code: 'not-signed-in' | 'loose-mode';
  constructor(code: CredentialsError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** `$XDG_CONFIG_HOME/sallyport/credentials.json`, or below ~/.config. */
export function credentialsFile(env: NodeJS.ProcessEnv): string {
  const named = env['XDG_CONFIG_HOME'] ?? '';
  // An empty or a relative one is none (XDG Base Directory Specification): a token belongs in no working directory.
  const base = isAbsolute(named) ? named : join(homedir() || userInfo().homedir, '.config');
  return join(base, 'sallyport', 'credentials.json');
}

export function writeCredentials(file: string, credentials: Credentials): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // In one step: others read it meanwhile, and two may sign in at once.
  const next = `${file}.${randomUUID()}`;
  try {
    writeFileSync(next, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(next, file);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}

/** Throws CredentialsError. */
export function readCredentials(file: string, now: number): Credentials {
  const again = 'Run: sallyport login --portal https://…';
  if (!existsSync(file))
    throw new CredentialsError('not-signed-in', `You are not signed in on this computer. ${again}`);
  const loose = looseness(file);
  if (loose !== undefined) throw new CredentialsError('loose-mode', loose);
  let credentials: Partial<Credentials>;
  try {
    credentials = JSON.parse(readFileSync(file, 'utf8')) ?? {};
  } catch {
    throw new CredentialsError('not-signed-in', `${file} cannot be read as JSON. ${again}`);
  }
  const { portal, token, expiresAt, name } = credentials;
  const whole = typeof portal === 'string' && typeof token === 'string' && typeof expiresAt === 'number';
  if (!whole || typeof name !== 'string')
    throw new CredentialsError('not-signed-in', `${file} is incomplete. ${again}`);
  if (expiresAt <= now)
    throw new CredentialsError(
      'not-signed-in',
      `Your sign-in has run out. Run: sallyport login --portal ${portal}`,
    );
  return credentials as Credentials;
}
