// The admin API on a Unix socket inside the state directory: whoever may open that socket owns the gateway's
// files anyway. The gateway stays the only writer of its state and events.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { Hono } from 'hono';
import { z } from 'zod';
import type { DeviceDesk } from '#gateway/attest/desk';
import { MAX_BUNDLE } from '#gateway/change/bundle';
import type { Changes } from '#gateway/change/changes';
import { OWN_BODY } from '#gateway/edge/limits';
import { serveOwn } from '#gateway/edge/own-pages';
import { CONNECTOR_NAME, type EnrolmentDesk } from '#gateway/pki/enrolment';
import type { ConnectorStatus } from '#gateway/tunnel/relay';
import type { Recorder } from '#siem/recorder';
import { type AccessParts, accessApp } from './access.ts';
import { changeAdmin } from './changes.ts';
import { deviceAdmin } from './devices.ts';

/** The socket's name within the state directory. */
export const ADMIN_SOCKET = 'admin.sock';
/** What the kernel has room for in a Unix socket's address, less the terminating zero. */
const MAX_SOCKET_PATH = 107;
/** Where changes are sent, which are larger than anything else. */
const CHANGES_PATH = '/v1/changes';
const MAX_TOKEN_LIFE = 24 * 3_600_000;

/** The state directory lies too deep for the admin socket in it. */
class AdminSocketError extends Error {
  readonly code = 'admin-socket-path';
  constructor(path: string) {
    super(
      `${path} is longer than the ${MAX_SOCKET_PATH} bytes a Unix socket's path may have: use a shorter state directory`,
    );
  }
}

export interface AdminParts extends AccessParts {
  readonly desk: EnrolmentDesk;
  readonly devices: DeviceDesk;
  readonly recorder: Recorder;
  /** Undefined where nothing needs to be signed. */
  readonly changes: Changes | undefined;
  /** Connectors that some app names: a token for another would open nothing. */
  readonly connectorNames: ReadonlySet<string>;
  status(): {
    readonly policy: string;
    readonly change: string | undefined;
    readonly configHash: string;
    readonly codeHash: string;
    readonly connectors: readonly ConnectorStatus[];
    readonly openExchanges: number;
  };
  /** Loads the policy document anew; the problems if it was refused. */
  reloadPolicy(): Promise<readonly string[]>;
}

const tokenBody = z.strictObject({
  name: z.string().regex(CONNECTOR_NAME),
  /** Milliseconds. */
  life: z.int().min(1_000).max(MAX_TOKEN_LIFE),
  by: z.string().min(1).max(128),
});

function adminApp(parts: AdminParts): Hono {
  const app = new Hono();
  app.onError((error, c) => c.json({ error: 'unavailable', message: error.message }, 503));
  app.route('/v1', accessApp(parts));
  app.route('/v1', deviceAdmin(parts.devices, parts.connectorNames));
  app.route('/v1', changeAdmin(parts.changes));
  app.get('/v1/status', (c) => c.json(parts.status()));
  app.post('/v1/policy/reload', async (c) => {
    const problems = await parts.reloadPolicy();
    return c.json({ loaded: problems.length === 0, problems }, problems.length === 0 ? 200 : 422);
  });
  app.post('/v1/enrolment-tokens', async (c) => {
    const body = tokenBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: 'bad-request', message: z.prettifyError(body.error) }, 400);
    const { name, life, by } = body.data;
    if (!parts.connectorNames.has(name)) {
      const known = [...parts.connectorNames].join(', ');
      return c.json(
        { error: 'unknown-connector', message: `no app names a connector "${name}"; they name: ${known}` },
        404,
      );
    }
    const token = await parts.desk.createToken(name, life, by);
    const { expiresAt } = token;
    await parts.recorder.record(
      { kind: 'enrolment-token-created', connector: { name }, by: { kind: 'operator', id: by }, expiresAt },
      { durable: true },
    );
    return c.json(token, 201);
  });
  return app;
}

/** Listens on the admin socket in `directory`, replacing what a crashed gateway left there. */
export async function adminListener(directory: string, parts: AdminParts): Promise<Server> {
  const path = join(directory, ADMIN_SOCKET);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) throw new AdminSocketError(path);
  rmSync(path, { force: true });
  const app = adminApp(parts);
  const server = createServer((request, response) => {
    serveOwn(
      { fetch: (one: Request) => app.fetch(one) },
      `http://admin${request.url ?? '/'}`,
      undefined,
      request,
      response,
      request.url === CHANGES_PATH ? MAX_BUNDLE : OWN_BODY,
    ).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}
