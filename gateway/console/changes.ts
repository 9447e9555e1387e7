// The admin API's part about signed changes: which one is in force, and taking up another. Below /v1 of the admin socket.
import { Hono } from 'hono';
import type { Changes } from '#gateway/change/changes';
import { ChangeRefusal } from '#gateway/change/reasons';
import { type AdminEnv, actorOf } from './door.ts';

export function changeAdmin(changes: Changes | undefined): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  const message = 'The configuration of this gateway has no `changes`: it takes the policy from its file.';
  app.get('/changes', (c) =>
    changes === undefined
      ? c.json({ error: 'not-configured', message }, 409)
      : c.json({ ...changes.current }),
  );
  app.post('/changes', async (c) => {
    if (changes === undefined) return c.json({ error: 'not-configured', message }, 409);
    try {
      return c.json(await changes.offer(await c.req.text(), actorOf(c)));
    } catch (error) {
      if (!(error instanceof ChangeRefusal)) throw error;
      return c.json({ error: error.code, message: error.message }, 422);
    }
  });
  return app;
}
