// What the admin API offers for SSH certificates: the keys that sign them, and taking one away.
import { randomUUID } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { SshDesk } from '#gateway/pki/ssh/desk';
import { authorityTrouble } from './authorities.ts';
import { badRequest } from './bad-request.ts';
import { type AdminEnv, actorOf } from './door.ts';
import { ROUND_HEADER } from './signed-request.ts';

/** A key is published for at most so long before it signs, in milliseconds. */
const LONGEST_LEAD = 30 * 86_400_000;

const rotationBody = z
  .strictObject({
    compromised: z.literal(true).optional(),
    lead: z.int().min(0).max(LONGEST_LEAD).optional(),
    /** Whose keys; left out, those of the gateway that is asked. */
    gateway: z.string().min(1).max(63).optional(),
    by: z.string().optional(),
  })
  .refine(({ compromised, lead }) => (compromised === undefined) !== (lead === undefined), {
    error: 'expected either `lead` or `compromised`',
  });
const revocationBody = z.strictObject({
  serial: z
    .string()
    .regex(
      /^[1-9][0-9]{0,19}$/,
      'the serial number of an SSH certificate is a number, as `ssh-keygen -L` shows it',
    ),
  reason: z.string().min(1).max(500).optional(),
  /** Whoever asks is known already. */
  by: z.string().optional(),
});

export function sshAdmin(desk: SshDesk | undefined): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.onError(authorityTrouble);
  const offered = (
    c: Context<AdminEnv>,
    work: (desk: SshDesk) => Promise<Response>,
  ): Promise<Response> | Response =>
    desk === undefined
      ? c.json({ error: 'no-ssh', message: 'no app of this gateway has the key `ssh`' }, 404)
      : work(desk);
  app.get('/ssh-authority', (c) =>
    offered(c, async (one) => c.json({ authorities: await one.authorities(), keys: await one.keys() })),
  );
  app.post('/ssh-authority/rotate', (c) =>
    offered(c, async (one) => {
      const body = rotationBody.safeParse(await c.req.json().catch(() => undefined));
      if (!body.success) return c.json(badRequest(body.error), 400);
      const { lead, gateway = one.gateway } = body.data;
      const known = await one.gateways();
      if (!known.has(gateway)) {
        const message = `no gateway ${gateway} has keys for SSH certificates; these have: ${[...known].join(', ')}`;
        return c.json({ error: 'unknown-gateway', message }, 404);
      }
      const rotation = lead === undefined ? 'compromised' : { lead };
      const round = c.req.header(ROUND_HEADER) ?? randomUUID();
      return c.json({ gateway, signsFrom: await one.rotate(gateway, rotation, actorOf(c), round) });
    }),
  );
  app.get('/ssh-authority/krl', (c) =>
    offered(c, async (one) => c.json({ krl: (await one.krl()).toString('base64') })),
  );
  app.post('/ssh-revocations', (c) =>
    offered(c, async (one) => {
      const body = revocationBody.safeParse(await c.req.json().catch(() => undefined));
      if (!body.success) return c.json(badRequest(body.error), 400);
      const { serial, reason } = body.data;
      const holder = await one.revoke(serial, actorOf(c), reason);
      if (holder !== undefined) return c.json({ holder });
      const message = `no SSH certificate with the serial number ${serial} was issued here, or it has ended`;
      return c.json({ error: 'unknown-certificate', message }, 404);
    }),
  );
  return app;
}
