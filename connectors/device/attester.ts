// The Attester (RFC 9334): lets this machine's TPM say which machine it is, how it booted, and that a key is in it.
// Private keys never leave the TPM; what is kept of them here only this TPM can use.
import { createHash } from 'node:crypto';
import {
  type Attestation,
  attestationBinding,
  type ConnectorIdentity,
  QUOTED_PCRS,
} from '../wire/evidence.ts';
import { TpmError } from './tpm/error.ts';
import { authorized, createBelow, endorsementOf, withEndorsementKey, withKey, withTpm } from './tpm/keys.ts';
import { ecdsa, jwkOf, spkiOf } from './tpm/signing-key.ts';
import { AK_TEMPLATE, type EkKind, ekKind, SESSION_KEY_TEMPLATE } from './tpm/templates.ts';
import type { Tpm, TpmKey } from './tpm/tpm.ts';

/** The keys of one enrolment. */
export interface DeviceKeys {
  /** The kind of endorsement key they live below. */
  readonly endorsement: string;
  /** Says what the TPM says, and nothing else. */
  readonly attestation: TpmKey;
  /** Signs DPoP proofs. */
  readonly session: TpmKey;
}

/** What enrolment tells the gateway of a TPM. */
export interface Introduction {
  readonly ekCertificate?: Buffer;
  readonly ekIntermediates?: readonly Buffer[];
  readonly ekPublic: Buffer;
  readonly akPublic: Buffer;
}

/** How often a quote is made anew because a PCR was extended between reading and quoting. */
const QUOTE_ATTEMPTS = 3;
/** The digest over the quoted PCRs is the last thing in a quote. */
const DIGEST_SIZE = 32;

/** Makes new keys in the TPM at `address`, below its first endorsement key or the one named. @throws {TpmError} */
export function introduce(
  address: string,
  endorsement?: string,
): Promise<Introduction & { readonly keys: DeviceKeys }> {
  return withTpm(address, async (tpm) => {
    const { kind, certificate, intermediates = [] } = await endorsementOf(tpm, endorsement);
    return withEndorsementKey(tpm, kind, async (ek) => {
      const attestation = await createBelow(tpm, ek, AK_TEMPLATE);
      const session = await createBelow(tpm, ek, SESSION_KEY_TEMPLATE);
      return {
        keys: { endorsement: kind.name, attestation, session },
        ...(certificate === undefined ? {} : { ekCertificate: certificate }),
        ...(intermediates.length === 0 ? {} : { ekIntermediates: intermediates }),
        ekPublic: ek.public,
        akPublic: attestation.public,
      };
    });
  });
}

/** Finds the secret of an enrolment's challenge: only the TPM with this EK and AK can. @throws {TpmError} */
export function openCredential(
  address: string,
  keys: DeviceKeys,
  challenge: { readonly credentialBlob: Buffer; readonly encryptedSecret: Buffer },
): Promise<Buffer> {
  const credential = { blob: challenge.credentialBlob, secret: challenge.encryptedSecret };
  return withTpm(address, (tpm) =>
    withEndorsementKey(tpm, kindOf(keys), (ek) =>
      withKey(tpm, ek, keys.attestation, (ak) =>
        authorized(tpm, ek, (by) => tpm.activateCredential(ak, ek.handle, by, credential)),
      ),
    ),
  );
}

/** Quotes the PCRs and certifies the session key, both bound to this nonce, log, key, connection and connector. */
export function attest(
  address: string,
  keys: DeviceKeys,
  bound: {
    readonly nonce: Buffer;
    readonly eventLog: Buffer;
    readonly exporter: Buffer;
    readonly connector?: ConnectorIdentity | undefined;
  },
): Promise<Omit<Attestation, 'device'>> {
  const { nonce, eventLog, exporter, connector } = bound;
  const extraData = attestationBinding({ ...bound, keySpki: spkiOf(keys.session.public) });
  return withTpm(address, (tpm) =>
    withEndorsementKey(tpm, kindOf(keys), (ek) =>
      withKey(tpm, ek, keys.attestation, async (ak) => {
        const quoted = await quote(tpm, ak, extraData);
        const certified = await withKey(tpm, ek, keys.session, (key) => tpm.certify(key, ak, extraData));
        const key = {
          public: keys.session.public,
          certifyInfo: certified.attest,
          certifySignature: certified.signature,
        };
        const via = connector === undefined ? {} : { connectorKey: connector.key };
        return { nonce, exporter, ...via, eventLog, ...quoted, key };
      }),
    ),
  );
}

async function quote(
  tpm: Tpm,
  ak: number,
  extraData: Buffer,
): Promise<Pick<Attestation, 'quoted' | 'signature' | 'pcrs'>> {
  for (let attempt = 1; ; attempt += 1) {
    const pcrs = await tpm.pcrRead(QUOTED_PCRS);
    const { attest: quoted, signature } = await tpm.quote(ak, extraData, QUOTED_PCRS);
    const digest = createHash('sha256').update(Buffer.concat(pcrs)).digest();
    if (digest.equals(quoted.subarray(-DIGEST_SIZE)) || attempt === QUOTE_ATTEMPTS)
      return { quoted, signature, pcrs };
  }
}

/** Signs with the session key: r and s, each filled to 32 bytes, as JWS ES256 wants it (RFC 7518, 3.4). */
export function signWithSessionKey(address: string, keys: DeviceKeys, data: Buffer): Promise<Buffer> {
  return withTpm(address, (tpm) =>
    withEndorsementKey(tpm, kindOf(keys), (ek) =>
      withKey(tpm, ek, keys.session, (key) => ecdsa(tpm, key, data)),
    ),
  );
}

/** RFC 7638 thumbprint: DPoP's `jkt`. */
export function thumbprintOf(publicArea: Buffer): string {
  return createHash('sha256')
    .update(JSON.stringify(jwkOf(publicArea)))
    .digest('base64url');
}

function kindOf(keys: DeviceKeys): EkKind {
  const kind = ekKind(keys.endorsement);
  if (kind === undefined) throw new TpmError('unsuited', `there is no endorsement key ${keys.endorsement}`);
  return kind;
}
