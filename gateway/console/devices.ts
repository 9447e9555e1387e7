// The admin API's part about devices: tokens, approval, revocation, baselines. Below /v1 of the admin socket.
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { DeviceDesk } from '#gateway/attest/desk';
import type { ListedDevice } from '#gateway/attest/device-verifier';
import { AttestationRefusal } from '#gateway/attest/refusal';
import { badRequest } from './bad-request.ts';
import { type AdminEnv, actorOf } from './door.ts';

const MAX_TOKEN_LIFE = 7 * 24 * 3_600_000;
/** Names of devices: printable where admins and people read them. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/** Whoever asks is known already. */
const by = z.string().optional();
const text = z.string().min(1).max(256);
const tokenBody = z.strictObject({
  name: z.string().regex(NAME, 'a device name is letters, digits, `.`, `_` and `-`, like anna-laptop'),
  owner: text.optional(),
  connector: text.optional(),
  model: text.optional(),
  approved: z.boolean(),
  /** Milliseconds. */
  life: z.int().min(1_000).max(MAX_TOKEN_LIFE),
  ekName: z
    .string()
    .regex(/^[0-9a-f]{4,140}$/, 'the TPM Name of an endorsement key is written in hex')
    .optional(),
  by,
});
const words = z
  .array(z.string().regex(/^\S{1,256}$/, 'a word of a command line has no blanks and at most 256 characters'))
  .max(64);
const learnBody = z.strictObject({
  by,
  openPcrs: z.array(z.int('a PCR is a number').min(0).max(7)).max(8).optional(),
  minimumFirmware: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9}){0,7}$/, 'a firmware version is numbers and dots, like 7.2.3.1')
    .optional(),
  commandLine: z.strictObject({ required: words, forbidden: words }).optional(),
});

/** Mounted at `/v1` of the admin API. */
export function deviceAdmin(desk: DeviceDesk, connectorNames: ReadonlySet<string>): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.onError((error, c) => {
    if (error instanceof z.ZodError) return c.json(badRequest(error), 400);
    if (!(error instanceof AttestationRefusal)) throw error;
    const status = error.code === 'device-unknown' ? 404 : 409;
    return c.json({ error: error.code, message: `${error.message} ${error.remedy}` }, status);
  });

  app.post('/device-tokens', async (c) => {
    const { name, owner, connector, model, approved, life, ekName } = tokenBody.parse(await json(c));
    if (connector !== undefined && !connectorNames.has(connector)) {
      const known = [...connectorNames].join(', ');
      const message = `no app names a connector "${connector}"; they name: ${known}`;
      return c.json({ error: 'unknown-connector', message }, 404);
    }
    const grant = {
      ...{ name, approved },
      ...(owner === undefined ? {} : { owner }),
      ...(connector === undefined ? {} : { connector }),
      ...(model === undefined ? {} : { model }),
    };
    const { token, expiresAt } = await desk.grant(grant, life, actorOf(c), ekName);
    // The TPM that is named needs none, and none would let it in.
    return c.json({ name, ...(ekName === undefined ? { token } : {}), expiresAt }, 201);
  });

  app.get('/devices', async (c) => c.json({ devices: (await desk.list()).map(shown) }));
  app.post('/devices/:device/approve', async (c) =>
    c.json(shown(await desk.approve(await idOf(c), actorOf(c)))),
  );
  app.post('/devices/:device/revoke', async (c) =>
    c.json(shown(await desk.revoke(await idOf(c), actorOf(c)))),
  );
  app.post('/devices/:device/forget', async (c) =>
    c.json(shown(await desk.forget(await idOf(c), actorOf(c)))),
  );
  app.post('/devices/:device/baseline', async (c) => {
    const { openPcrs, minimumFirmware, commandLine } = learnBody.parse(await json(c));
    const change = {
      ...(openPcrs === undefined ? {} : { openPcrs }),
      ...(minimumFirmware === undefined ? {} : { minimumFirmware }),
      ...(commandLine === undefined ? {} : { commandLine }),
    };
    return c.json(await desk.learnBaseline(await idOf(c), actorOf(c), change), 201);
  });

  app.get('/baselines', async (c) => c.json({ baselines: await desk.baselines() }));
  app.post('/baselines/:id/approve', async (c) =>
    baseline(c, await desk.approveBaseline(c.req.param('id'), actorOf(c))),
  );
  app.post('/baselines/:id/remove', async (c) =>
    baseline(c, await desk.removeBaseline(c.req.param('id'), actorOf(c))),
  );
  return app;

  /** A device may be named by its id or by its name. */
  async function idOf(c: Context): Promise<string> {
    const wanted = c.req.param('device') ?? '';
    const named = (await desk.list()).find(({ device, name }) => device === wanted || name === wanted);
    if (named === undefined) throw new AttestationRefusal('device-unknown', wanted);
    return named.device;
  }
}

function baseline(c: Context, found: object | undefined): Response {
  const message = 'There is no such baseline. `sallyport device baseline` lists them.';
  return found === undefined ? c.json({ error: 'baseline-unknown', message }, 404) : c.json(found);
}

/** What an admin sees of a device; not its PCRs one by one. */
function shown(one: ListedDevice): Record<string, unknown> {
  const { endorsement, ekName } = one.binding;
  const appraisal = one.posture?.appraisal;
  return {
    device: one.device,
    name: one.name,
    owner: one.owner,
    connector: one.connector,
    model: one.model,
    state: one.state,
    enrolledAt: one.enrolledAt,
    enrolledBy: one.enrolledBy,
    approvedAt: one.approvedAt,
    approvedBy: one.approvedBy,
    ekName,
    manufacturer: endorsement?.manufacturer,
    posture: appraisal && {
      status: appraisal.status,
      reasons: appraisal.reasons,
      issuedAt: appraisal.issuedAt,
      expiresAt: appraisal.expiresAt,
    },
  };
}

function json(c: Context): Promise<unknown> {
  return c.req.json().catch(() => undefined);
}
