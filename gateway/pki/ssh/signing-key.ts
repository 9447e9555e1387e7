// An authority's key as SSH writes it: the public half for sshd's TrustedUserCAKeys, and signatures in SSH's form,
// whether the key is in a file, a token or a TPM (RFC 5656, section 3.1).
import { hash, type KeyObject } from 'node:crypto';
import { DER, DerReader } from '#gateway/attest/der';
import { sshInteger, sshString } from '#gateway/change/ssh-reader';
import type { Signer } from '../signer/signer.ts';

const TYPE = 'ecdsa-sha2-nistp256';
const CURVE = 'nistp256';

export interface SshSigner {
  /** The public key. */
  readonly blob: Buffer;
  /** The SSH signature of `data`. Rejects with SignerError. */
  sign(data: Buffer): Promise<Buffer>;
}

export function sshSigner(signer: Signer): SshSigner {
  return {
    blob: publicBlob(signer.publicKey),
    sign: async (data) => {
      const pair = new DerReader(await signer.sign(data)).enter(DER.SEQUENCE);
      const [r, s] = [pair.next(DER.INTEGER).content, pair.next(DER.INTEGER).content];
      return Buffer.concat([sshString(TYPE), sshString(Buffer.concat([sshInteger(r), sshInteger(s)]))]);
    },
  };
}

/** Of a key on P-256. */
function publicBlob(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return Buffer.concat([sshString(TYPE), sshString(CURVE), sshString(point)]);
}

/** A line for TrustedUserCAKeys. `blob`: base64. */
export function authorityLine(blob: string, comment: string): string {
  return `${TYPE} ${blob} ${comment}\n`;
}

/** As `ssh-keygen -l` and sshd's log print it. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}`;
}
