// The key of an identity, and the request for a certificate of it: made in a file here, or wherever else somebody keeps keys.
import { generateKeyPairSync, sign } from 'node:crypto';
import { certificateRequest } from '../wire/certificate-request.ts';
import { pem } from '../wire/der-writer.ts';

export interface RequestedKey {
  /** As it is stored, in PEM. */
  readonly key: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** PKCS#10, PEM. */
  readonly csr: string;
  /**
   * Where the key cannot be used for TLS here, but proved to be where it cannot be taken from. `offer` sends the gateway
   * what is to convince it and gives its answer; what this resolves to is the proof. Only for this request.
   */
  prove?(offer: (keys: object) => Promise<unknown>): Promise<object>;
}

/** Makes a key, or takes the one there is to be, and asks for a certificate of it. */
export type KeyMaker = () => Promise<RequestedKey>;

/** A new key that is kept in a file. */
export const keyInFile: KeyMaker = async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const csr = await certificateRequest(spki, (data) => sign('sha256', data, privateKey));
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { key, spki, csr: pem('CERTIFICATE REQUEST', csr) };
};
