// Who may ask the admin API for what: every role at every address, with real signatures; accounts for emergencies; and
// the record of every question, before it is answered.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import { adminSchema } from '#gateway/console/config';
import { ROLES, ROUTES, RouteTableError, requireRoles } from '#gateway/console/roles';
import { requires } from '#test/requires';
import { AdminBed, type Wish } from './admin-bed.ts';

const HOUR = 3_600_000;

test('an address without roles, and roles without an address, are found', () => {
  const routes = Object.keys(ROUTES);
  requireRoles(routes);
  assert.throws(() => requireRoles([...routes, 'POST /v1/reboot']), RouteTableError);
  assert.throws(
    () => requireRoles(routes.slice(1)),
    /roles are given for GET \/v1\/status, which is not there/,
  );
});

test('the page for admins shows the table', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/admin.md'), 'utf8');
  const shown = [...page.matchAll(/^\| `([A-Z]+ \/v1\/[^`]+)` \| (.*) \|$/gm)].map(
    ([, route = '', cell = '']) => [route, [...cell.matchAll(/`([a-z-]+)`/g)].map(([, role]) => role)],
  );
  assert.deepEqual(Object.fromEntries(shown), ROUTES);
});

suite('admins', { skip: requires('ssh-keygen') }, () => {
  const bed = new AdminBed();
  after(() => bed.close());
  beforeEach(() => {
    bed.events.length = 0;
  });
  const { admin, app, events } = bed;
  const ask = bed.ask.bind(bed);

  test('every role at every address: what the table says, and a record of each', async (t) => {
    let allowed = 0;
    let refused = 0;
    for (const [route, roles] of Object.entries(ROUTES)) {
      for (const who of [...ROLES, 'nobody', 'glass']) {
        events.length = 0;
        const { status, code } = await ask(who, route, { body: route.startsWith('GET') ? '' : '{"x":1}' });
        const may =
          (roles as readonly string[]).includes(who) || (who === 'glass' && route === 'POST /v1/break-glass');
        assert.equal(status === 403, !may, `${who} at ${route} got ${status} ${code}`);
        if (!may)
          assert.equal(code, who === 'glass' ? 'break-glass-sealed' : 'role-missing', `${who} at ${route}`);
        const [first, last] = events.filter(({ kind }) => kind.startsWith('admin-action'));
        assert.ok(first?.kind === 'admin-action');
        assert.deepEqual(
          [first.verdict, first.by.id, first.route, first.breakGlass],
          [may ? 'allowed' : 'refused', who, route, who === 'glass'],
        );
        assert.equal(last?.kind, may ? 'admin-action-ended' : undefined, `${who} at ${route}`);
        if (may) allowed += 1;
        else refused += 1;
      }
    }
    t.diagnostic(`allowed ${allowed}, refused ${refused} of ${allowed + refused}`);
  });

  test('a request that nobody listed signed, or for something else, is refused and recorded', async () => {
    const route = 'GET /v1/status';
    const unsigned = await app.request('/v1/status', { headers: { 'sallyport-operator': 'viewer' } });
    assert.deepEqual(
      [unsigned.status, ((await unsigned.json()) as { error: string }).error],
      [401, 'signature-missing'],
    );
    const is = async (code: string, who: string, wish: Wish, at = route): Promise<void> =>
      assert.deepEqual(await ask(who, at, wish), { status: 401, code }, code);
    await is('signer-unknown', 'stranger', {});
    await is('signature-invalid', 'viewer', { gateway: 'access.example.com/edge-2' });
    await is('signature-invalid', 'viewer', { namespace: 'sallyport-change' });
    await is('signature-invalid', 'viewer', { sent: { path: '/v1/changes' } });
    await is(
      'signature-invalid',
      'operator',
      { sent: { body: '{"kind":"person"}' } },
      'POST /v1/revocations',
    );
    await is('signature-old', 'viewer', { at: bed.now - 61_000 });
    await is('signature-old', 'viewer', { at: bed.now + 61_000 });
    assert.equal((await ask('viewer', route, { nonce: 'same' })).status, 200);
    await is('signature-replayed', 'viewer', { nonce: 'same' });
    const refused = events.filter((event) => event.kind === 'admin-action' && event.verdict === 'refused');
    assert.equal(refused.length, 9);
  });

  test('who proves nothing has ten refusals a minute recorded and all others summed, and keeps nobody out', async () => {
    bed.now += HOUR;
    const unsigned = async (): Promise<Response> =>
      app.request('/v1/revocations', { method: 'POST', body: `{"by":"${'x'.repeat(100)}"}` });
    const statuses: number[] = [];
    for (let i = 0; i < 500; i += 1) statuses.push((await unsigned()).status);
    const last = await unsigned();
    assert.deepEqual([last.status, last.headers.get('retry-after')], [429, '60']);
    assert.deepEqual(statuses, [...Array(10).fill(401), ...Array(490).fill(429)]);
    assert.equal(events.length, 10);
    assert.deepEqual(await ask('stranger', 'GET /v1/status'), { status: 429, code: 'too-many' });
    // Who is known is answered, and refused, as ever.
    assert.equal((await ask('viewer', 'GET /v1/status')).status, 200);
    assert.deepEqual(await ask('nobody', 'GET /v1/status'), { status: 403, code: 'role-missing' });
    assert.equal(events.length, 13);
    events.length = 0;
    bed.full = true;
    await bed.strangers.tell();
    bed.full = false;
    await bed.strangers.tell();
    assert.deepEqual(events, [
      {
        kind: 'refusals-summed',
        client: undefined,
        by: { kind: 'user', id: 'unknown' },
        ...{ addresses: 0, count: 492 },
        byCode: [
          { code: 'signature-missing', count: 491 },
          { code: 'signer-unknown', count: 1 },
        ],
        ...{ from: bed.now, to: bed.now },
      },
    ]);
    bed.now += 60_000;
    assert.equal((await unsigned()).status, 401);
  });

  test('fifty copies of one request at once are answered once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => ask('viewer', 'GET /v1/status', { nonce: 'one' })),
    );
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
  });

  test('what cannot be recorded is not done', async () => {
    bed.full = true;
    assert.equal((await ask('viewer', 'GET /v1/status')).status, 503);
    assert.equal((await ask('nobody', 'GET /v1/sessions')).status, 503);
    bed.full = false;
    assert.deepEqual(events, []);
  });

  test('an account for emergencies is opened once, for a while, with a reason, and everything says so', async () => {
    const reason = JSON.stringify({ reason: 'nobody can be reached' });
    assert.equal((await ask('glass-2', 'GET /v1/sessions')).code, 'break-glass-sealed');
    assert.equal(
      (await ask('glass-2', 'POST /v1/break-glass', { body: '{}' })).status,
      400,
      'without a reason',
    );
    assert.equal((await ask('glass-2', 'POST /v1/break-glass', { body: reason })).status, 200);
    const opened = events.find(({ kind }) => kind === 'break-glass-opened');
    assert.ok(opened?.kind === 'break-glass-opened');
    assert.deepEqual(
      [opened.account, opened.reason, opened.until],
      ['glass-2', 'nobody can be reached', bed.now + HOUR],
    );
    assert.equal((await ask('glass-2', 'GET /v1/sessions')).status, 200);
    assert.equal((await ask('glass-2', 'POST /v1/policy/reload')).status, 200);
    const actions = events.filter((event) => event.kind === 'admin-action' && event.verdict === 'allowed');
    assert.ok(actions.every((event) => event.kind === 'admin-action' && event.breakGlass));
    assert.equal((await ask('glass-2', 'POST /v1/break-glass', { body: reason })).code, 'break-glass-spent');
    bed.now += HOUR;
    assert.equal((await ask('glass-2', 'GET /v1/sessions')).code, 'break-glass-spent');
    const again = bed.appOf({ admin });
    assert.ok(again, 'a gateway that starts again reads what was opened');
    assert.equal((await ask('glass-2', 'POST /v1/break-glass', { body: reason })).code, 'break-glass-spent');
    assert.equal(
      (await ask('glass', 'GET /v1/sessions')).code,
      'break-glass-sealed',
      'the other is sealed yet',
    );
  });

  test('an account that is spent stays so when the clock is set back before the next start', async () => {
    const reason = JSON.stringify({ reason: 'and the clock is wrong, too' });
    assert.equal((await ask('glass-3', 'POST /v1/break-glass', { body: reason })).status, 200);
    bed.recordedUntil = bed.now + HOUR;
    bed.now -= HOUR;
    for (const ranUntil of [bed.recordedUntil, bed.now]) {
      bed.recordedUntil = ranUntil;
      const to = bed.appOf({ admin });
      assert.equal((await ask('glass-3', 'GET /v1/sessions', { to })).code, 'break-glass-spent');
      assert.equal(
        (await ask('glass-3', 'POST /v1/break-glass', { to, body: reason })).code,
        'break-glass-spent',
      );
    }
    bed.now += HOUR;
    bed.recordedUntil = 0;
  });

  test('and one that is open is not open for longer from the next start than it may be', async () => {
    const reason = JSON.stringify({ reason: 'and the clock is wrong, too' });
    assert.equal((await ask('glass-4', 'POST /v1/break-glass', { body: reason })).status, 200);
    bed.recordedUntil = bed.now;
    bed.now -= 24 * HOUR;
    const to = bed.appOf({ admin });
    assert.equal((await ask('glass-4', 'GET /v1/sessions', { to })).status, 200);
    bed.now += HOUR;
    assert.equal((await ask('glass-4', 'GET /v1/sessions', { to })).code, 'break-glass-spent');
    bed.now += 23 * HOUR;
    bed.recordedUntil = 0;
  });

  test('where it cannot be read what was opened, no gateway starts, and it says which file', () => {
    const file = join(bed.state, 'break-glass.json');
    const before = readFileSync(file);
    for (const damaged of [before.subarray(0, -1), '{"a":"x"}', '']) {
      writeFileSync(file, damaged);
      assert.throws(() => bed.appOf({ admin }), { code: 'break-glass-file', message: /break-glass\.json/ });
    }
    writeFileSync(file, before);
  });

  test('fifty who open one account at once are one', async () => {
    const body = JSON.stringify({ reason: 'everybody at once' });
    const asked = Array.from({ length: 50 }, () => ask('glass', 'POST /v1/break-glass', { body }));
    const replies = await Promise.all(asked);
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    assert.equal(events.filter(({ kind }) => kind === 'break-glass-opened').length, 1);
  });

  test('without `admin`, whoever may open the socket is its owner, by their own word', async () => {
    const reply = await bed.appOf({}).request('/v1/status', { headers: { 'sallyport-operator': 'root' } });
    assert.equal(reply.status, 200);
    const [action] = events;
    assert.ok(action?.kind === 'admin-action');
    assert.deepEqual([action.by, action.roles], [{ kind: 'operator', id: 'root' }, ['owner']]);
  });

  test('an address that is not there is answered to nobody', async () => {
    assert.equal((await ask('viewer', 'GET /v1/nothing')).status, 404);
    assert.equal((await ask('viewer', 'HEAD /v1/status'.replace('HEAD', 'DELETE'))).status, 404);
  });

  test('a list that cannot be read is named with its line', () => {
    const signers = join(bed.state, 'signers');
    writeFileSync(signers, '# admins\nviewer ssh-ed25519 AAAA\n');
    assert.throws(() => bed.appOf({ admin: { ...admin, signers } }), /\/signers, line 2: /);
  });

  test('a list that lacks somebody who has a role is refused', () => {
    const roles = { ...admin.roles, viewer: ['eve@example.com'] };
    assert.throws(() => bed.appOf({ admin: { ...admin, roles } }), /has no key of eve@example\.com/);
    assert.throws(
      () =>
        adminSchema.parse({
          signers: bed.signers,
          roles: { viewer: ['glass'] },
          breakGlass: { accounts: ['glass'] },
        }),
      /glass has a role as well/,
    );
  });
});
