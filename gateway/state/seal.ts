// Seals records that leave this machine: whoever holds or changes the store's memory learns nothing from it and can
// forge no session. AES-256-GCM, bound to the record's kind and key, so that no record passes for another.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { StateError } from './error.ts';

const NONCE = 12;
const TAG = 16;
/** Shorter secrets can be guessed. */
const LEAST_SECRET = 32;

export class Seal {
  readonly #key: Buffer;

  /** `secret`: at least 32 characters, the same on every gateway of the installation. Throws StateError. */
  constructor(secret: string) {
    if (secret.length < LEAST_SECRET) {
      const message = `the state's secret has ${secret.length} characters, at least ${LEAST_SECRET} are needed: openssl rand -base64 32`;
      throw new StateError('state-sealed', message);
    }
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'sallyport state v1', 32));
  }

  close(name: string, text: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name));
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
  }

  /** Throws StateError if `sealed` was not sealed for `name` with this secret. */
  open(name: string, sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE), {
        authTagLength: TAG,
      })
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
      return decipher.update(bytes.subarray(NONCE + TAG), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      const message = `the record ${JSON.stringify(name.slice(0, 80))} was not sealed with this installation's secret`;
      throw new StateError('state-sealed', message, { cause });
    }
  }
}
