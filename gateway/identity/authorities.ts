// The authorities of a file by which whoever is asked over TLS must be vouched for. It must never answer a text without
// any: TLS would go by the system's.
import { readFileSync } from 'node:fs';
import { holdsCertificate } from '#connectors/wire/certificates';

/** There is no certificate where there has to be one. The message names the file. */
export class AuthoritiesError extends Error {
  readonly code = 'no-authority';
}

/** PEM. Throws AuthoritiesError, or what the file system says. */
export function readAuthorities(file: string): string {
  const pem = readFileSync(file, 'utf8');
  if (!holdsCertificate(pem)) throw new AuthoritiesError(`${file} holds no certificate in PEM`);
  return pem;
}
