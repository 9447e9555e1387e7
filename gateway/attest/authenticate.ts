// Whether evidence comes from this device, now, over this connection, for this session's key. What fails here says
// nothing about the device: anybody could have sent it.
import { hash } from 'node:crypto';
import { type Attestation, attestationBinding } from '#connectors/wire/evidence';
import type { EvidenceBinding } from './appraisal.ts';
import { parseCertify, type QuoteStructure } from './attest-structure.ts';
import { parseEventLog } from './event-log.ts';
import { type PublicArea, parsePublicArea } from './public-area.ts';
import { type Attester, checkFreshness, verifyCertification, verifyQuote } from './quote.ts';
import type { ReasonCode } from './reasons.ts';
import type { DevicePosture } from './records.ts';
import { AttestationRefusal } from './refusal.ts';
import { checkReplay } from './replay.ts';

export interface Authenticated {
  readonly quote: QuoteStructure;
  /** RFC 7638 thumbprint of the session's key. */
  readonly keyThumbprint: string;
}

/** Throws AttestationRefusal. */
export function authenticate(
  evidence: Attestation,
  attester: Attester,
  binding: EvidenceBinding,
  last: DevicePosture | undefined,
): Authenticated {
  const key = parsePublicArea(evidence.key.public);
  const keyThumbprint = thumbprintOf(key);
  if (binding.keyThumbprint !== undefined && binding.keyThumbprint !== keyThumbprint) {
    throw new AttestationRefusal('relayed-key');
  }
  const quote = verifyQuote(evidence, attester);
  const { nonce, eventLog } = evidence;
  const keySpki = key.key.export({ format: 'der', type: 'spki' });
  const bound = { nonce, eventLog, keySpki, exporter: binding.exporter };
  const expected = attestationBinding({ ...bound, connector: binding.connector });
  try {
    checkFreshness(quote, expected);
  } catch (refusal) {
    const wrong = refusal instanceof AttestationRefusal && refusal.code === 'nonce-wrong';
    if (wrong && binding.connector !== undefined && quote.extraData.equals(attestationBinding(bound))) {
      throw new AttestationRefusal('connector-unbound');
    }
    throw wrong ? new AttestationRefusal(whyNot(evidence, key, quote, binding, last)) : refusal;
  }
  verifyCertification(evidence.key, key, attester, expected);
  return { quote, keyThumbprint };
}

/**
 * The extraData of a good quote is one hash over nonce, log, key and connection: this finds the part that differs, as
 * far as that can be told. It only explains; the evidence is refused whatever it finds.
 */
function whyNot(
  evidence: Attestation,
  key: PublicArea,
  quote: QuoteStructure,
  binding: EvidenceBinding,
  last: DevicePosture | undefined,
): ReasonCode {
  if (last !== undefined && quote.resetCount <= last.resetCount && quote.clock <= BigInt(last.clock)) {
    return 'evidence-old';
  }
  if (refuses(() => checkReplay(parseEventLog(evidence.eventLog), evidence.pcrs))) return 'log-swapped';
  const { certifyInfo } = evidence.key;
  if (refuses(() => parseCertify(certifyInfo)) || !parseCertify(certifyInfo).name.equals(key.name)) {
    return 'bound-key-other';
  }
  const { exporter, connectorKey } = evidence;
  if (exporter !== undefined && !exporter.equals(binding.exporter)) return 'relayed-channel';
  const own = binding.connector?.key;
  return own !== undefined && connectorKey?.equals(own) === false ? 'relayed-connector' : 'nonce-wrong';
}

function refuses(check: () => void): boolean {
  try {
    check();
    return false;
  } catch {
    return true;
  }
}

/** RFC 7638, section 3: members in the order of their names, without blanks. */
function thumbprintOf({ unique }: PublicArea): string {
  const text = (bytes: Buffer): string => bytes.toString('base64url');
  const jwk =
    unique.type === 'rsa'
      ? { e: 'AQAB', kty: 'RSA', n: text(unique.modulus) }
      : { crv: unique.curve, kty: 'EC', x: text(unique.x), y: text(unique.y) };
  return hash('sha256', JSON.stringify(jwk), 'base64url');
}
