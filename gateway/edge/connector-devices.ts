// What a connector's machine calls on the connectors' listener: to enrol its TPM, and to prove its state. The same
// messages as a person's device sends the portal; who it is for, is the connector whose certificate the connection shows.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import {
  DEVICE_PATHS,
  EvidenceError,
  EXPORTER,
  encodeEvidence,
  MAX_ATTESTATION,
} from '#connectors/wire/evidence';
import {
  decodeActivateRequest,
  decodeAttestation,
  decodeChallengeRequest,
  decodeEnrolRequest,
} from '#connectors/wire/evidence-decoder';
import type { DeviceDesk } from '#gateway/attest/desk';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { KnownConnector } from './connector-certificates.ts';
import { OWN_BODY } from './limits.ts';

export interface DeviceAnswer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

type Step = (
  message: unknown,
  connector: KnownConnector,
  desk: DeviceDesk,
  exporter: () => Buffer,
) => Promise<object>;

const STEPS: ReadonlyMap<string, { readonly status: number; readonly limit: number; readonly take: Step }> =
  new Map([
    [
      `POST ${DEVICE_PATHS.enrol}`,
      {
        status: 201,
        limit: OWN_BODY,
        async take(message, { name, client }, desk) {
          const offered = await desk.enrol(decodeEnrolRequest(message), client, name);
          const { enrolment, credentialBlob, encryptedSecret } = offered;
          return { enrolment, credentialBlob, encryptedSecret };
        },
      },
    ],
    [
      `POST ${DEVICE_PATHS.activate}`,
      {
        status: 201,
        limit: OWN_BODY,
        async take(message, { client }, desk) {
          const { device, name, state } = await desk.activate(decodeActivateRequest(message), client);
          return { device, name, state };
        },
      },
    ],
    [
      `POST ${DEVICE_PATHS.challenge}`,
      {
        status: 201,
        limit: OWN_BODY,
        async take(message, _connector, desk) {
          const { nonce } = await desk.challenge(decodeChallengeRequest(message).device);
          return { nonce };
        },
      },
    ],
    [
      `POST ${DEVICE_PATHS.attest}`,
      {
        status: 200,
        limit: MAX_ATTESTATION,
        async take(message, { name, key, certificate, client }, desk, exporter) {
          const { status, expiresAt, reasons } = await desk.attest({
            evidence: decodeAttestation(message),
            exporter: exporter(),
            client,
            connector: { name, key: Buffer.from(key, 'hex'), notAfter: certificate.notAfter ?? 0 },
          });
          return { status, expiresAt, reasons };
        },
      },
    ],
  ] as const);

/** `action`: method and target. */
export function isDeviceAction(action: string): boolean {
  return STEPS.has(withoutQuery(action));
}

/** Never rejects for what the connector did wrong. */
export async function answerDevice(
  action: string,
  request: IncomingMessage,
  connector: KnownConnector,
  desk: DeviceDesk,
): Promise<DeviceAnswer> {
  const step = STEPS.get(withoutQuery(action));
  if (step === undefined) throw new TypeError(`${action} is no step of attestation`);
  const message = await jsonOf(request, step.limit);
  // The listener speaks TLS 1.3 only, where the exporter tells every connection apart (RFC 9266).
  const exporter = (): Buffer =>
    (request.socket as TLSSocket).exportKeyingMaterial(EXPORTER.length, EXPORTER.label, Buffer.alloc(0));
  try {
    const answer = await step.take(message, connector, desk, exporter);
    return { status: step.status, body: encodeEvidence(answer) };
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): DeviceAnswer {
  if (error instanceof EvidenceError) return plain(400, { error: error.code, message: error.message });
  if (!(error instanceof AttestationRefusal)) throw error;
  const { code, message, remedy } = error;
  return plain(403, { error: code, message, remedy });
}

function plain(status: number, answer: object): DeviceAnswer {
  return { status, body: JSON.stringify(answer) };
}

/** `POST /device/attest?challenge=…` as devices call it: here the certificate already says who may bring a log. */
function withoutQuery(action: string): string {
  return action.split('?', 1)[0] ?? '';
}

/** Undefined for what is no JSON, or larger than `limit` bytes. */
export async function jsonOf(request: IncomingMessage, limit: number): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) return undefined;
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}
