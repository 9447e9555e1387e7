// What hosts that run sshd fetch from the portal: the keys to trust, and the certificates that are good no more. Both
// are public; who has a certificate is in neither.
import { Hono } from 'hono';
import type { SshDesk } from '#gateway/pki/ssh/desk';
import type { PortalRequest } from './portal.ts';

type Env = { Bindings: PortalRequest };

/** Mounted at `/ssh` of the portal. */
export function sshApp(desk: SshDesk | undefined): Hono<Env> {
  const app = new Hono<Env>();
  if (desk === undefined) return app;
  app.get('/authority.pub', async (c) =>
    c.text(await desk.authorities(), 200, { 'Cache-Control': 'public, max-age=300' }),
  );
  app.get('/revoked.krl', async (c) =>
    c.body(new Uint8Array(await desk.krl()), 200, {
      'Content-Type': 'application/octet-stream',
      'Cache-Control': 'no-store',
    }),
  );
  return app;
}
