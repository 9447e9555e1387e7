// The admin API: every request goes through the door, which knows who may ask for what. The gateway stays the only writer
// of its state and events.
import type { Server } from 'node:http';
import { Hono } from 'hono';
import { z } from 'zod';
import type { DeviceDesk } from '#gateway/attest/desk';
import { MAX_BUNDLE } from '#gateway/change/bundle';
import type { Changes } from '#gateway/change/changes';
import { OWN_BODY } from '#gateway/edge/limits';
import { serveOwn } from '#gateway/edge/own-pages';
import type { Strangers } from '#gateway/inspect/strangers';
import type { AuthorityOffice } from '#gateway/pki/authority-office';
import {
  CONNECTOR_NAME,
  CONNECTOR_NAME_WORDS,
  type EnrolmentDesk,
  serviceName,
} from '#gateway/pki/enrolment';
import type { SshDesk } from '#gateway/pki/ssh/desk';
import type { Measured } from '#gateway/release/measure';
import type { ConnectorStatus } from '#gateway/tunnel/relay';
import type { Recorder } from '#siem/recorder';
import { type AccessParts, accessApp } from './access.ts';
import type { Admins } from './admins.ts';
import { authorityAdmin } from './authorities.ts';
import { badRequest } from './bad-request.ts';
import { changeAdmin } from './changes.ts';
import { deviceAdmin } from './devices.ts';
import { type AdminEnv, actorOf, door } from './door.ts';
import { requireRoles } from './roles.ts';
import { type AdminPlace, listenForAdmins } from './socket.ts';
import { sshAdmin } from './ssh.ts';

/** Where changes are sent, which are larger than anything else. */
export const CHANGES_PATH = '/v1/changes';
const MAX_TOKEN_LIFE = 24 * 3_600_000;

export interface AdminParts extends AccessParts {
  readonly admins: Admins;
  readonly desk: EnrolmentDesk;
  readonly office: AuthorityOffice;
  readonly devices: DeviceDesk;
  readonly recorder: Recorder;
  readonly strangers: Pick<Strangers, 'recordAction' | 'countAction'>;
  /** Undefined where no app has SSH certificates. */
  readonly ssh: SshDesk | undefined;
  /** Undefined where nothing needs to be signed. */
  readonly changes: Changes | undefined;
  /** Connectors that some app names: a token for another would open nothing. */
  readonly connectorNames: ReadonlySet<string>;
  status(): {
    readonly policy: string;
    readonly change: string | undefined;
    /** How the program files compare with their release; undefined where nobody signs releases. */
    readonly release: Measured | undefined;
    readonly configHash: string;
    readonly codeHash: string;
    readonly connectors: readonly ConnectorStatus[];
    readonly openExchanges: number;
  };
  /** Loads the policy document anew; the problems if it was refused. */
  reloadPolicy(): Promise<readonly string[]>;
}

const tokenBody = z.strictObject({
  name: z.string().regex(CONNECTOR_NAME, CONNECTOR_NAME_WORDS),
  /** Whose name that is. */
  kind: z.enum(['connector', 'service']).default('connector'),
  /** Milliseconds. */
  life: z.int().min(1_000).max(MAX_TOKEN_LIFE),
  /** Whoever asks is known already. */
  by: z.string().optional(),
});

const openingBody = z.strictObject({ reason: z.string().min(1).max(500) });

/** Exported for tests. Throws RouteTableError if an address has no roles. */
export function adminApp(parts: AdminParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.onError((error, c) => c.json({ error: 'unavailable', message: error.message }, 503));
  const { callers, shares } = parts.admins;
  app.use(door({ callers, shares, recorder: parts.recorder, strangers: parts.strangers }));
  app.route('/v1', accessApp(parts));
  app.route('/v1', deviceAdmin(parts.devices, parts.connectorNames));
  app.route('/v1', changeAdmin(parts.changes));
  app.route('/v1', authorityAdmin(parts.office));
  app.route('/v1', sshAdmin(parts.ssh));
  app.get('/v1/status', (c) => c.json(parts.status()));
  app.post('/v1/policy/reload', async (c) => {
    const problems = await parts.reloadPolicy();
    return c.json({ loaded: problems.length === 0, problems }, problems.length === 0 ? 200 : 422);
  });
  app.post('/v1/enrolment-tokens', async (c) => {
    const body = tokenBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    const { kind, life } = body.data;
    const name = kind === 'service' ? serviceName(body.data.name) : body.data.name;
    const by = actorOf(c);
    if (kind === 'connector' && !parts.connectorNames.has(name)) {
      const known = [...parts.connectorNames].join(', ');
      return c.json(
        { error: 'unknown-connector', message: `no app names a connector "${name}"; they name: ${known}` },
        404,
      );
    }
    const token = await parts.desk.createToken(name, life, by.id);
    const { expiresAt } = token;
    await parts.recorder.record(
      { kind: 'enrolment-token-created', connector: { name }, by, expiresAt },
      { durable: true },
    );
    return c.json(token, 201);
  });
  app.post('/v1/break-glass', async (c) => {
    const body = openingBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    const { actor, fingerprint = '' } = c.get('caller');
    const until = await parts.admins.breakGlass.open(actor, fingerprint, body.data.reason);
    if (until !== undefined) return c.json({ account: actor.id, until });
    return c.json({ error: 'break-glass-spent', message: 'Somebody opened the account a moment ago.' }, 403);
  });
  requireRoles(
    app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`),
  );
  return app;
}

/** Listens on the admin socket, replacing what a crashed gateway left there. */
export async function adminListener(config: AdminPlace, parts: AdminParts): Promise<Server> {
  const app = adminApp(parts);
  return listenForAdmins(config, (request, response) =>
    serveOwn(
      { fetch: (one: Request) => app.fetch(one) },
      `http://admin${request.url ?? '/'}`,
      undefined,
      request,
      response,
      request.url === CHANGES_PATH ? MAX_BUNDLE : OWN_BODY,
    ).catch(() => void response.destroy()),
  );
}
