// Speaks to a running gateway on its admin socket, for commands that change something.
import { request } from 'node:http';
import { join } from 'node:path';
import { ADMIN_SOCKET } from '#gateway/console/admin';

export interface AdminReply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The gateway does not answer. `message` says what to do. */
export class AdminError extends Error {
  readonly code = 'gateway-not-running';
}

/** Calls the admin API of the gateway whose state directory is given; a text is sent as it is. Throws AdminError. */
export function callAdmin(state: string, method: string, path: string, body?: unknown): Promise<AdminReply> {
  const socketPath = join(state, ADMIN_SOCKET);
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method, path, headers: { 'content-type': 'application/json' } },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        reply.on('end', () => {
          try {
            resolve({ status: reply.statusCode ?? 0, body: JSON.parse(text) });
          } catch (cause) {
            reject(new AdminError(`the gateway at ${socketPath} gave no readable answer`, { cause }));
          }
        });
      },
    );
    call.on('error', (cause) => {
      const message = `no gateway answers at ${socketPath}: start it, or run this as the user it runs as`;
      reject(new AdminError(message, { cause }));
    });
    call.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  });
}
