// The admin API's addresses for who is signed in, and for taking access away.
import { Hono } from 'hono';
import { z } from 'zod';
import { REVOCABLE } from '#gateway/access/revocations';
import type { Revoke, Revoked } from '#gateway/access/revoke';
import type { DeviceDesk } from '#gateway/attest/desk';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Sessions } from '#gateway/identity/sessions';
import { CONNECTOR_NAME, CONNECTOR_NAME_WORDS } from '#gateway/pki/enrolment';
import { badRequest } from './bad-request.ts';
import { type AdminEnv, actorOf } from './door.ts';
import { DrillError, type Drills } from './drill.ts';
import { DRILLS } from './rehearsal.ts';

type Kind = (typeof REVOCABLE)[number];

/** As decisions know them: `spiffe://…`, or the name of an issuer and what it says. `service:` is a word of policies. */
const SERVICE_ID = /^(?!service:)[^:]+:./;
const DEVICE_ID = /^[0-9a-f]{32}$/;

export interface AccessParts {
  readonly sessions: Sessions;
  readonly revoke: Revoke;
  readonly drills: Drills;
  readonly devices: Pick<DeviceDesk, 'list'>;
}

const drillBody = z.strictObject({
  fault: z.enum(DRILLS),
  seconds: z.int().min(1).max(60),
  connector: z.string().regex(CONNECTOR_NAME, CONNECTOR_NAME_WORDS).optional(),
  alone: z.boolean().optional(),
  by: z.string().optional(),
});

const revocationBody = z.strictObject({
  kind: z.enum(REVOCABLE),
  id: z.string().min(1).max(1024),
  by: z.string().optional(),
  reason: z.string().min(1).max(500).optional(),
});

export function accessApp({ sessions, revoke, drills, devices }: AccessParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.get('/sessions', async (c) => {
    const who = c.req.query('person');
    const all = await sessions.list();
    const meant =
      who === undefined ? all : all.filter(({ subject }) => subject.id === who || subject.email === who);
    return c.json({ sessions: meant.map(shown) });
  });
  app.post('/revocations', async (c) => {
    const body = revocationBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    const { kind, id, reason } = body.data;
    const by = actorOf(c);
    const ids = await meant(kind, id);
    const done: Revoked[] = [];
    for (const one of ids) {
      const revoked = await revoke.revoke({ kind, id: one }, by, reason);
      if (revoked !== undefined) done.push(revoked);
    }
    if (done.length === 0) return c.json({ error: 'unknown', message: unknown(kind, id) }, 404);
    const sum = (key: keyof Revoked): number => done.reduce((total, one) => total + one[key], 0);
    return c.json({ sessions: sum('sessions'), streams: sum('streams'), tunnels: sum('tunnels') });
  });
  app.post('/drills', async (c) => {
    const body = drillBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    const { by: _, ...wish } = body.data;
    try {
      return c.json(await drills.run(wish, actorOf(c)));
    } catch (error) {
      if (!(error instanceof DrillError)) throw error;
      return c.json({ error: error.code, message: error.message }, 409);
    }
  });
  return app;

  /** The ids that a word of an admin's stands for; none where it can be nobody's, lest a mistyped one is told as revoked. */
  async function meant(kind: Kind, id: string): Promise<readonly string[]> {
    if (kind === 'person') return revoke.people(id);
    if (kind === 'service') return SERVICE_ID.test(id) ? [id] : [];
    if (kind !== 'device') return [id];
    const known = (await devices.list()).find(({ device, name }) => device === id || name === id);
    // One that was forgotten may still be refused.
    return known !== undefined || DEVICE_ID.test(id) ? [known?.device ?? id] : [];
  }
}

function shown({ id, subject, login, createdAt, lastSeenAt, expiresAt, clientAddress }: LiveSession): object {
  return {
    ...{ id, person: subject.id, name: subject.name, email: subject.email, provider: login.provider },
    ...{ createdAt, lastSeenAt, expiresAt, clientAddress },
  };
}

function unknown(kind: Kind, id: string): string {
  if (kind === 'service')
    return `there is no service ${id}; name it as events do: spiffe://<trust domain>/<path>, or <issuer>:<subject>`;
  if (kind === 'person')
    return `nobody who is signed in has the id or address ${id}; somebody who is not is revoked by id, <issuer>#<sub>`;
  return `there is no ${kind} ${id}`;
}
