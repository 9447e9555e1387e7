// Whether a text that is to say whom to believe says so at all. TLS takes an empty one for none, and none for the system's
// authorities: a file that was cut short would open what it is there to close.
import { X509Certificate } from 'node:crypto';

/** True if the first certificate in a PEM text can be read. */
export function holdsCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false;
  }
}
