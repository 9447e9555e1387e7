// Certificates on the listener for connectors: the first for a token, the next for the one before. A key that is said to be
// in a TPM is proved for each; one that TLS cannot use from here renews by that proof alone.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { EvidenceError, encodeEvidence, type KeyProof } from '#connectors/wire/evidence';
import { decodeEnrolRequest, decodeKeyProof } from '#connectors/wire/evidence-decoder';
import type { KeyProofs } from '#gateway/attest/key-proof';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { Refused } from '#gateway/inspect/strangers';
import { EnrolmentError, type IssuedTo, isService } from '#gateway/pki/enrolment';
import { certificatesIn, IssueError } from '#gateway/pki/issued';
import { readRequest } from '#gateway/pki/signing-request';
import type { ConnectorRefused } from '#siem/connector-event';
import type { SallyportEvent } from '#siem/event';
import type { CertificateRef, Peer } from '#siem/parties';
import {
  type CertificateParts,
  clientOf,
  identify,
  identifyCertificate,
  type KnownConnector,
  MEANS,
  shownBy,
} from './connector-certificates.ts';
import { jsonOf } from './connector-devices.ts';
import { OWN_BODY } from './limits.ts';

/** Of refused enrolments; all others are 403. */
const STATUS: Readonly<Record<string, number>> = {
  'bad-csr': 400,
  'evidence-malformed': 400,
  'token-malformed': 400,
  'token-used': 409,
  'too-many': 503,
};
/** No browser has business here; one that strays in guesses no types and keeps no copy. */
export const API_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' } as const;

export interface EnrolmentHandlers extends CertificateParts {
  /** Begins proofs that keys are in TPMs. */
  readonly keyProofs?: Pick<KeyProofs, 'begin'> | undefined;
  /** Lets a stranger have a credential for a TPM. @throws {TooMany} */
  admitted?(client: Peer): Promise<void>;
  /** Writes an event for good; an answer waits for it. */
  record(event: SallyportEvent): Promise<void>;
  /** The same for a refusal. @throws {TooMany} */
  refused(event: Refused): Promise<void>;
}

const enrolBody = z.strictObject({ token: z.string(), csr: z.string(), proof: z.unknown().optional() });
const renewBody = z.strictObject({
  csr: z.string(),
  proof: z.unknown().optional(),
  certificate: z.string().optional(),
});

/** Begins the proof that a key is in a TPM: a credential that only the TPM with these keys can open. */
export async function offerProof(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
): Promise<void> {
  const client = clientOf(request);
  const { keyProofs } = handlers;
  if (keyProofs === undefined)
    return send(response, 404, 'not-found', 'No key is proved to be in a TPM here.');
  await handlers.admitted?.(client);
  try {
    const offered = await keyProofs.begin(decodeEnrolRequest(await jsonOf(request, OWN_BODY)));
    response.writeHead(201, { ...API_HEADERS, 'Content-Type': 'application/json' });
    response.end(encodeEvidence(offered));
  } catch (error) {
    await refuse(response, error, client, handlers);
  }
}

export async function enrol(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
): Promise<void> {
  const client = clientOf(request);
  const body = await readJson(request, enrolBody);
  if (body === undefined) {
    await handlers.refused({ kind: 'connector-enrolment-refused', code: 'bad-request', client });
    return send(response, 400, 'bad-request', 'Expected JSON with "token" and "csr".');
  }
  try {
    const issued = await handlers.desk.enrol(body.token, body.csr, proofIn(body.proof));
    await give(response, handlers, issued, { grant: 'enrolment', client });
  } catch (error) {
    await refuse(response, error, client, handlers);
  }
}

export async function renew(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
): Promise<void> {
  const client = clientOf(request);
  const body = await readJson(request, renewBody);
  const shown = (): Promise<KnownConnector | undefined> =>
    proven(request, response, handlers, 'Renewal needs the certificate to be renewed.', true);
  if (body === undefined) {
    // Who is no connector of ours hears nothing of what is wrong with the request.
    if ((await shown()) === undefined) return;
    await handlers.refused({ kind: 'connector-enrolment-refused', code: 'bad-request', client });
    return send(response, 400, 'bad-request', 'Expected JSON with "csr".');
  }
  try {
    const proof = proofIn(body.proof);
    const present = proof === undefined ? undefined : body.certificate;
    const known =
      present === undefined ? await shown() : await holding(present, body.csr, request, response, handlers);
    if (known === undefined) return;
    const { name, certificate } = known;
    const shownAs = present ?? shownBy(request);
    const issued = await handlers.desk.renew(name, certificate.serial, body.csr, shownAs, proof);
    await give(response, handlers, issued, { grant: 'renewal', client, replaces: known.certificate });
  } catch (error) {
    await refuse(response, error, client, handlers);
  }
}

/**
 * Whose certificate `present` (PEM) is, if the request is for the very key in it: who can prove for this request that the
 * key is in their TPM, has it, as a handshake would have shown.
 */
async function holding(
  present: string,
  csr: string,
  request: IncomingMessage,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
): Promise<KnownConnector | undefined> {
  const [leaf, issuer] = certificatesIn(present);
  const { publicKey } = readRequest(csr);
  const client = clientOf(request);
  const known: KnownConnector | ConnectorRefused =
    leaf?.publicKey.equals(publicKey) === true
      ? await identifyCertificate(
          { certificate: leaf, issuer, client, authorized: true, ended: true },
          handlers,
          true,
        )
      : { kind: 'connector-refused', code: 'certificate-untrusted', client };
  return orRefused(known, response, handlers, 'The certificate to be renewed is not this key’s.');
}

/** Who asks, by the certificate of the connection; `message` is the answer to one who is no connector of ours. */
export async function proven(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
  message: string,
  services = false,
): Promise<KnownConnector | undefined> {
  return orRefused(await identify(request, handlers, services), response, handlers, message);
}

async function orRefused(
  known: KnownConnector | ConnectorRefused,
  response: ServerResponse,
  handlers: EnrolmentHandlers,
  message: string,
): Promise<KnownConnector | undefined> {
  if (!('code' in known)) return known;
  await handlers.refused(known);
  send(response, 401, known.code, MEANS[known.code] ?? message);
  return undefined;
}

/** Throws EvidenceError. */
function proofIn(proof: unknown): KeyProof | undefined {
  return proof === undefined ? undefined : decodeKeyProof(proof);
}

async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T | undefined> {
  return schema.safeParse(await jsonOf(request, OWN_BODY)).data;
}

async function refuse(
  response: ServerResponse,
  error: unknown,
  client: Peer,
  handlers: EnrolmentHandlers,
): Promise<void> {
  const known =
    error instanceof EnrolmentError ||
    error instanceof IssueError ||
    error instanceof AttestationRefusal ||
    error instanceof EvidenceError;
  if (!known) throw error;
  const { code, message } = error;
  const claimed = error instanceof EnrolmentError ? error.connector : undefined;
  const connector = claimed === undefined ? undefined : { name: claimed };
  await handlers.refused({ kind: 'connector-enrolment-refused', code, connector, client });
  const words = error instanceof AttestationRefusal ? `${message} ${error.remedy}` : message;
  send(response, STATUS[code] ?? 403, code, words);
}

/** Records what was issued, and answers with it. */
async function give(
  response: ServerResponse,
  { record, authority }: EnrolmentHandlers,
  { name, key, certificate, serial, notAfter }: IssuedTo,
  how: { readonly grant: 'enrolment' | 'renewal'; readonly client: Peer; readonly replaces?: CertificateRef },
): Promise<void> {
  const { grant, client, replaces } = how;
  const issued = { certificate: { serial, notAfter, key }, client };
  const connector = { name };
  if (isService(name))
    await record({ kind: 'certificate-issued', use: 'service', holder: name, grant, ...issued });
  else if (grant === 'enrolment') await record({ kind: 'connector-enrolled', connector, ...issued });
  else await record({ kind: 'connector-renewed', connector, replaces, ...issued });
  response.writeHead(201, { ...API_HEADERS, 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ certificate, chain: authority.bundle, name }));
}

export function send(
  response: ServerResponse,
  status: number,
  error: string,
  message: string,
  retryAfter?: number,
): void {
  if (response.headersSent) return;
  const wait = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
  const headers = { ...API_HEADERS, ...wait, 'Content-Type': 'application/json', Connection: 'close' };
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error, message }));
}
