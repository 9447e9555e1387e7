// What the admin API offers for authorities and their certificates.
import { type ErrorHandler, Hono } from 'hono';
import { z } from 'zod';
import { OWN_BODY } from '#gateway/edge/limits';
import type { AuthorityOffice } from '#gateway/pki/authority-office';
import { AuthorityError } from '#gateway/pki/ca-certificate';
import { SignerError } from '#gateway/pki/signer/signer';
import { badRequest } from './bad-request.ts';
import { type AdminEnv, actorOf } from './door.ts';

/** Room for one of each worker. */
const importBody = z.strictObject({ certificate: z.string().min(1).max(OWN_BODY) });
const revocationBody = z.strictObject({
  serial: z
    .string()
    .regex(/^[0-9A-Fa-f]{2,40}$/, 'a serial number is 2 to 40 hex digits, as `sallyport ca list` shows it'),
  reason: z.string().min(1).max(500).optional(),
  /** Whoever asks is known already. */
  by: z.string().optional(),
});

/** The answer where an authority or its key cannot do what was asked. */
export const authorityTrouble: ErrorHandler<AdminEnv> = (error, c) => {
  const known = error instanceof AuthorityError || error instanceof SignerError;
  return c.json({ error: known ? error.code : 'unavailable', message: error.message }, known ? 409 : 503);
};

export function authorityAdmin(office: AuthorityOffice): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.onError(authorityTrouble);
  app.get('/authorities', (c) => c.json({ authorities: office.reports }));
  app.use('/authorities/:id/*', async (c, next) => {
    if (office.report(c.req.param('id')) !== undefined) return next();
    const known = office.reports.map(({ id }) => id).join(', ');
    return c.json(
      { error: 'unknown-authority', message: `there is no such authority; there are: ${known}` },
      404,
    );
  });
  app.post('/authorities/:id/rotate', async (c) =>
    c.json(await office.rotate(c.req.param('id'), actorOf(c))),
  );
  app.post('/authorities/:id/request', async (c) =>
    c.json({ request: await office.request(c.req.param('id'), actorOf(c)) }),
  );
  app.post('/authorities/:id/crl', async (c) =>
    c.json({ lists: await office.crl(c.req.param('id'), actorOf(c)) }),
  );
  app.post('/authorities/:id/import', async (c) => {
    const body = importBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    return c.json(await office.install(c.req.param('id'), body.data.certificate, actorOf(c)));
  });
  app.get('/certificates', async (c) => {
    const held = await office.certificates();
    const certificates = held.map(({ name: holder, certificate }) => {
      const { serial, notAfter, key = 'file' } = certificate;
      return { holder, serial, notAfter, key };
    });
    return c.json({ certificates });
  });
  app.post('/certificate-revocations', async (c) => {
    const body = revocationBody.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(badRequest(body.error), 400);
    const { serial, reason } = body.data;
    const holder = await office.revoke(serial, actorOf(c), reason);
    if (holder !== undefined) return c.json({ holder });
    const message = `no certificate with the serial number ${serial} was issued here, or it has ended`;
    return c.json({ error: 'unknown-certificate', message }, 404);
  });
  return app;
}
