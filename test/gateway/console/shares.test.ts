// One admin, or whoever has their key, can neither fill the log nor keep the other admins waiting.
import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { Hono } from 'hono';
import { type AdminEnv, door } from '#gateway/console/door';
import { Shares } from '#gateway/console/shares';
import { Strangers } from '#gateway/inspect/strangers';
import type { SallyportEvent } from '#siem/event';
import { requires } from '#test/requires';
import { AdminBed } from './admin-bed.ts';

test('an admin has so many requests in a minute, and the next minute as many again', () => {
  let now = 0;
  const shares = new Shares(() => now, true);
  const spent = (who: string): number =>
    Array.from({ length: 700 }, () => shares.spend(who)).filter((wait) => wait === 0).length;
  assert.deepEqual([spent('ada'), spent('ben')], [600, 600]);
  now += 61_000;
  assert.equal(spent('ada'), 600);
});

test('and so many at once: the others are answered, and what was too much is told in one sum of theirs', async (t) => {
  const events: SallyportEvent[] = [];
  const recorder = {
    record: async (event: SallyportEvent): Promise<string> => {
      events.push(event);
      return `event-${events.length}`;
    },
  };
  const strangers = new Strangers({
    limits: { perAddress: 100, together: 100 },
    ...{ store: {}, recorder, metrics: { refused: () => {} }, behind: () => false, now: () => 0 },
  } as never);
  t.after(() => strangers.stop());
  const shares = new Shares(() => 0, true);
  const callers = {
    identify: async ({ operator: id = '' }: { operator?: string }) => ({
      actor: { kind: 'user', id },
      roles: ['operator'],
      breakGlass: false,
    }),
    admit: () => {},
  };
  const app = new Hono<AdminEnv>();
  app.use(door({ callers: callers as never, recorder: recorder as never, strangers, shares }));
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  app.get('/v1/sessions', async (c) => {
    await opened;
    return c.json({});
  });
  app.get('/v1/status', (c) => c.json({}));
  const ask = async (who: string, path: string): Promise<number> =>
    (await app.request(path, { headers: { 'sallyport-operator': who } })).status;
  const slow = Array.from({ length: 20 }, () => ask('ada', '/v1/sessions'));
  assert.deepEqual([await ask('ada', '/v1/status'), await ask('ben', '/v1/status')], [429, 200]);
  open();
  const statuses = await Promise.all(slow);
  assert.equal(statuses.filter((status) => status === 200).length, 16);
  assert.equal(statuses.filter((status) => status === 429).length, 4);
  assert.equal(await ask('ada', '/v1/status'), 200, 'what is done is not counted');
  assert.equal(events.filter(({ kind }) => kind === 'admin-action').length, 18);
  await strangers.tell();
  const sums = events.flatMap((event) => (event.kind === 'refusals-summed' ? [event] : []));
  assert.deepEqual(
    sums.map(({ by, count, byCode }) => [by?.id, count, byCode]),
    [['ada', 5, [{ code: 'too-many', count: 5 }]]],
  );
});

suite('with keys', { skip: requires('ssh-keygen') }, () => {
  const bed = new AdminBed();
  after(() => bed.close());

  test('what is beyond an admin’s minute is refused before anything is written of it', async () => {
    const written: string[] = [];
    const store = {
      update: async (_kind: unknown, name: string): Promise<boolean> => {
        written.push(name);
        return true;
      },
    };
    const app = bed.appOf({ admin: bed.admin }, store as never);
    const status = 'GET /v1/status';
    assert.equal((await bed.ask('viewer', status, { to: app })).status, 200);
    // The clock stands still: this is all one minute.
    while (bed.shares.spend('viewer') === 0);
    bed.now += 20_000;
    const [before, kept] = [bed.events.length, written.length];
    assert.deepEqual(await bed.ask('viewer', status, { to: app }), { status: 429, code: 'too-many' });
    assert.equal(bed.retryAfter, '40', 'what is left of the minute');
    assert.deepEqual([bed.events.length, written.length], [before, kept]);
    assert.equal((await bed.ask('auditor', status, { to: app })).status, 200);
  });
});

test('whoever owns the socket shares it with nobody', () => {
  const shares = new Shares(() => 0, false);
  for (let request = 0; request < 64; request++) assert.ok(shares.enter('owner'));
});
