// Signs with a person's SSH key by way of `ssh-keygen -Y sign`: it knows passphrases, agents and security keys, and
// this program never sees a private key.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, rmSync } from 'node:fs';

/** There is no signature. `message` says why, and what to do. */
export class SigningError extends Error {
  readonly code = 'not-signed';
}

/** An armoured signature over `message`. `key`: a private key's file, or a public one's whose private key an agent holds. */
export function sshSign(key: string, namespace: string, message: string): string {
  if (!existsSync(key)) throw new SigningError(`${key} is not there: name your SSH key`);
  const { status, stdout, stderr, error } = spawnSync(
    'ssh-keygen',
    ['-Y', 'sign', '-n', namespace, '-f', key],
    {
      input: message,
      encoding: 'utf8',
      // A passphrase is asked for on the terminal, not here.
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  if (error !== undefined)
    throw new SigningError(`ssh-keygen cannot be run (${error.message}): install OpenSSH's client`);
  if (status !== 0) throw new SigningError(`ssh-keygen did not sign: ${stderr.trim()}`);
  return stdout;
}

/** Makes an Ed25519 key in a file that only its person can read; one that is there by then stays. Throws SigningError. */
export function makeSshKey(file: string, comment: string): void {
  const next = `${file}.${randomUUID()}`;
  try {
    keygen(['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', next], `made no key in ${file}`);
    linkSync(next, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    for (const made of [next, `${next}.pub`]) rmSync(made, { force: true });
  }
}

/** The line of the public key that belongs to a private one without a passphrase. Throws SigningError. */
export function publicKeyOf(file: string): string {
  return keygen(['-y', '-P', '', '-f', file], `cannot read ${file}`);
}

function keygen(words: readonly string[], trouble: string): string {
  const { status, stdout, stderr, error } = spawnSync('ssh-keygen', words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error !== undefined)
    throw new SigningError(`ssh-keygen cannot be run (${error.message}): install OpenSSH's client`);
  if (status !== 0) throw new SigningError(`ssh-keygen ${trouble}: ${stderr.trim()}`);
  return stdout;
}
