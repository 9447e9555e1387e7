// Reads the authority that a command is told to trust, before anybody is sent anywhere on its word.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describeSystemError } from '#siem/system-error';

/** What `--ca` names cannot be trusted. `message` says why, with the file. */
export class AuthorityFileError extends Error {
  readonly code = 'authority-unreadable';
}

/** The certificates of `file`, in PEM. Throws AuthorityFileError. */
export function readAuthority(file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AuthorityFileError(`--ca ${describeSystemError(cause, file) ?? file}`, { cause });
  }
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new AuthorityFileError(`--ca ${file}: there is no certificate in it; expected PEM`, { cause });
  }
  return pem;
}
