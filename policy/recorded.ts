// Reads recorded inputs back, whatever version wrote them; what is not a whole input is no input.
import { type AccessRequest, INPUT_VERSION } from './input.ts';

/** One decision as it was recorded. */
export interface RecordedDecision {
  readonly id: string;
  readonly verdict: 'allow' | 'deny';
  /** The rule that decided, if one did. */
  readonly rule?: string;
  /** The stable code of why; decisions that were no policy's to make have one of their own. */
  readonly reason?: string;
  readonly input: AccessRequest;
}

type Shape = Readonly<Record<string, unknown>>;
type Kind = 'string' | 'number' | 'boolean' | 'strings';

const LOGIN: Readonly<Record<string, Kind>> = {
  provider: 'string',
  at: 'number',
  mfaAt: 'number',
  amr: 'strings',
  acr: 'string',
};
const POSTURE: Readonly<Record<string, Kind>> = {
  attested: 'boolean',
  secureBoot: 'boolean',
  baseline: 'boolean',
  sameBoot: 'boolean',
  hardwareKey: 'boolean',
  firmware: 'string',
  quotedAt: 'number',
};
const DEVICE: Readonly<Record<string, Kind>> = { id: 'string', ...POSTURE };
const CONNECTOR: Readonly<Record<string, Kind>> = { name: 'string', device: 'string', ...POSTURE };
const WORKLOAD: Readonly<Record<string, Kind>> = {
  signedBy: 'strings',
  provenance: 'strings',
  worstCve: 'string',
  scannedAt: 'number',
};
const NETWORK: Readonly<Record<string, Kind>> = {
  address: 'string',
  country: 'string',
  asn: 'number',
  feeds: 'strings',
};
const TARGET: Readonly<Record<string, Kind>> = {
  app: 'string',
  protocol: 'string',
  method: 'string',
  path: 'string',
};
const SUBJECT: Readonly<Record<string, Kind>> = {
  kind: 'string',
  id: 'string',
  name: 'string',
  email: 'string',
  groups: 'strings',
  roles: 'strings',
};

/** A recorded input as this version understands it, or undefined when it is none, or of a later version. */
export function readInput(value: unknown): AccessRequest | undefined {
  if (!isShape(value) || value['version'] !== INPUT_VERSION) return undefined;
  const { subject, target, network, login, device, workload, connector, at, risk, ticket, approved } = value;
  const whole =
    typeof at === 'number' &&
    isShape(subject) &&
    fits(subject, SUBJECT) &&
    (subject['kind'] === 'user' || subject['kind'] === 'service') &&
    typeof subject['id'] === 'string' &&
    (subject['key'] === undefined || subject['key'] === 'tpm' || subject['key'] === 'file') &&
    Array.isArray(subject['groups']) &&
    Array.isArray(subject['roles']) &&
    isShape(target) &&
    fits(target, TARGET) &&
    typeof target['app'] === 'string' &&
    (target['protocol'] === 'http' || target['protocol'] === 'tcp') &&
    isShape(network) &&
    fits(network, NETWORK) &&
    typeof network['address'] === 'string' &&
    (login === undefined || (isShape(login) && fits(login, LOGIN))) &&
    (device === undefined || (isShape(device) && fits(device, DEVICE))) &&
    (workload === undefined || (isShape(workload) && fits(workload, WORKLOAD))) &&
    (connector === undefined || (isShape(connector) && fits(connector, CONNECTOR))) &&
    (risk === undefined || typeof risk === 'number') &&
    (ticket === undefined || ticket === 'open' || ticket === 'none') &&
    (approved === undefined || typeof approved === 'boolean');
  return whole ? (value as unknown as AccessRequest) : undefined;
}

/**
 * The decision that an event document records, `'other'` for a document about something else, or undefined for a
 * decision that cannot be read. The input is at `sallyport.decision.input`.
 */
export function readDecision(document: unknown): RecordedDecision | 'other' | undefined {
  const sallyport = isShape(document) ? document['sallyport'] : undefined;
  const decision = isShape(sallyport) ? sallyport['decision'] : undefined;
  if (!isShape(decision) || decision['verdict'] === undefined) return 'other';
  const { verdict } = decision;
  const { event, rule: fields } = document as Shape;
  const id = isShape(event) ? event['id'] : undefined;
  const reason = isShape(event) ? event['code'] : undefined;
  const rule = isShape(fields) ? fields['id'] : undefined;
  const input = readInput(decision['input']);
  if (input === undefined || typeof id !== 'string' || (verdict !== 'allow' && verdict !== 'deny'))
    return undefined;
  return {
    ...{ id, verdict, input },
    ...(typeof rule === 'string' ? { rule } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null;
}

/** Whether every known key that is present holds what it should. */
function fits(value: Shape, kinds: Readonly<Record<string, Kind>>): boolean {
  for (const key in kinds) {
    const one = value[key];
    if (one === undefined) continue;
    const kind = kinds[key];
    if (kind === 'strings') {
      if (!Array.isArray(one) || !one.every(isString)) return false;
    } else if (typeof one !== kind) {
      return false;
    }
  }
  return true;
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}
