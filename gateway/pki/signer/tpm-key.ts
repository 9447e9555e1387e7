// A key in this machine's TPM 2.0, below its storage key: the file holds it wrapped, of use to this TPM alone. It is
// lost when the TPM is cleared, so an authority that keeps its key here needs a root elsewhere.
import { createPublicKey } from 'node:crypto';
import { TpmError } from '#connectors/device/tpm/error';
import { makeMachineKey, signWithMachineKey, spkiOf } from '#connectors/device/tpm/signing-key';
import { ecdsaSignature } from '#connectors/wire/der-writer';
import { type KeyAccess, type KeyRecord, type Signer, SignerError, type SignerFailure } from './signer.ts';

const FAILURES: Readonly<Record<TpmError['code'], SignerFailure>> = {
  'no-tpm': 'key-place-missing',
  broken: 'key-refused',
  lockout: 'key-refused',
  'key-lost': 'key-lost',
  unsuited: 'key-place-missing',
  refused: 'key-refused',
};

export async function makeTpmKey(access: KeyAccess): Promise<KeyRecord> {
  const key = await makeMachineKey(addressOf(access)).catch(rethrown);
  return {
    kind: 'tpm',
    public: spkiOf(key.public).toString('base64'),
    area: key.public.toString('base64'),
    wrapped: key.private.toString('base64'),
  };
}

export function openTpmKey(record: KeyRecord, access: KeyAccess): Signer {
  const address = addressOf(access);
  const bytes = (field: string): Buffer => Buffer.from(String(record[field] ?? ''), 'base64');
  const key = { public: bytes('area'), private: bytes('wrapped') };
  // A TPM takes one command at a time, and swtpm one user.
  let last: Promise<unknown> = Promise.resolve();
  return {
    place: 'tpm',
    publicKey: createPublicKey({ key: Buffer.from(record.public, 'base64'), format: 'der', type: 'spki' }),
    sign: (data) => {
      const signed = last.then(() => signWithMachineKey(address, key, data)).catch(rethrown);
      last = signed.catch(() => undefined);
      return signed.then(ecdsaSignature);
    },
  };
}

function addressOf({ tpm }: KeyAccess): string {
  if (tpm !== undefined) return tpm;
  throw new SignerError('key-place-missing', 'the key is in a TPM: say which with pki.tpm');
}

function rethrown(cause: unknown): never {
  if (!(cause instanceof TpmError)) throw cause;
  throw new SignerError(FAILURES[cause.code], cause.message, { cause });
}
