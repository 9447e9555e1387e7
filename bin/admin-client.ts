// Speaks to a running gateway on its admin socket, for commands that change something or ask.
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { GatewayConfig } from '#gateway/config';
import {
  ADMIN_NAMESPACE,
  gatewayName,
  NONCE_HEADER,
  OPERATOR_HEADER,
  SIGNATURE_HEADER,
  SIGNED_AT_HEADER,
  textToSign,
} from '#gateway/console/signed-request';
import { adminSocket } from '#gateway/console/socket';
import { operatorName } from './operator.ts';
import { SigningError, sshSign } from './ssh-keygen.ts';

/** Names the SSH key that requests are signed with, where the configuration has `admin`. */
const KEY_VARIABLE = 'SALLYPORT_ADMIN_KEY';

export interface AdminReply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The gateway does not answer, or cannot be asked. `message` says what to do. */
export class AdminError extends Error {
  readonly code = 'gateway-not-running';
}

/** The gateway of a configuration; or of a state directory alone, whose requests are not signed. */
export type AdminTarget = Pick<GatewayConfig, 'state' | 'admin' | 'portal' | 'name'> | string;

/** Calls the admin API of a gateway; a text is sent as it is. Throws AdminError. */
export async function callAdmin(
  target: AdminTarget,
  method: string,
  path: string,
  body?: unknown,
): Promise<AdminReply> {
  const socketPath = adminSocket(typeof target === 'string' ? { state: target } : target);
  const text = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body);
  const headers = { 'content-type': 'application/json', ...proof(target, method, path, text) };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers }, (reply) => {
      let answer = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      reply.on('end', () => {
        try {
          resolve({ status: reply.statusCode ?? 0, body: JSON.parse(answer) });
        } catch (cause) {
          reject(new AdminError(`the gateway at ${socketPath} gave no readable answer`, { cause }));
        }
      });
    });
    call.on('error', (cause) => {
      const message = `no gateway answers at ${socketPath}: start it, or run this as the user it runs as`;
      reject(new AdminError(message, { cause }));
    });
    call.end(text === '' ? undefined : text);
  });
}

/** The headers that say who asks. */
function proof(target: AdminTarget, method: string, path: string, body: string): Record<string, string> {
  if (typeof target === 'string' || target.admin === undefined)
    return { [OPERATOR_HEADER]: encodeURIComponent(operatorName()) };
  const key = process.env[KEY_VARIABLE];
  if (key === undefined || key === '')
    throw new AdminError(`requests to this gateway are signed: set ${KEY_VARIABLE} to your SSH key`);
  const at = new Date().toISOString();
  const nonce = randomUUID();
  const text = textToSign({ gateway: gatewayName(target), method, target: path, body, at, nonce });
  try {
    const armour = sshSign(key, ADMIN_NAMESPACE, text);
    const signature = armour.trim().split('\n').slice(1, -1).join('');
    return { [SIGNATURE_HEADER]: signature, [SIGNED_AT_HEADER]: at, [NONCE_HEADER]: nonce };
  } catch (error) {
    if (error instanceof SigningError) throw new AdminError(error.message, { cause: error });
    throw error;
  }
}
