// Who may ask the admin API for what: every role at every address, with real signatures; accounts for emergencies; and
// the record of every question, before it is answered.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, suite, type TestContext, test } from 'node:test';
import { sshSign } from '#bin/ssh-keygen';
import type { GatewayConfig } from '#gateway/config';
import { adminApp } from '#gateway/console/admin';
import { openAdmins } from '#gateway/console/admins';
import { adminSchema } from '#gateway/console/config';
import { ROLES, ROUTES, RouteTableError, requireRoles } from '#gateway/console/roles';
import { ADMIN_NAMESPACE, textToSign } from '#gateway/console/signed-request';
import { StateError } from '#gateway/state/error';
import { openStore } from '#gateway/state/open';
import type { Store } from '#gateway/state/store';
import type { SallyportEvent } from '#siem/event';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { ChangeBed, publicKey } from '../change/bed.ts';

const GATEWAY = 'access.example.com/edge-1';
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

/** What a store is for one gateway, forgotten with it. */
function memory(): Pick<Store, 'update'> {
  const kept = new Map<string, unknown>();
  return {
    update: async (_kind, key, change) => {
      const next = change(kept.get(key) as never);
      if (next !== undefined) kept.set(key, next.value);
      return next !== undefined;
    },
  };
}

suite('admins', { skip: requires('ssh-keygen') }, () => {
  const bed = new ChangeBed();
  const state = mkdtempSync(join(tmpdir(), 'sallyport-admin-'));
  after(() => {
    bed.close();
    rmSync(state, { recursive: true, force: true });
  });
  let now = Date.UTC(2026, 2, 4);
  const keys = new Map(
    [...ROLES, 'nobody', 'glass', 'glass-2', 'stranger'].map((name) => [name, bed.key(name)]),
  );
  const listed = [...keys].filter(([name]) => name !== 'stranger');
  const signers = bed.write('admins', listed.map(([name, key]) => `${name} ${publicKey(key)}\n`).join(''));
  const admin = adminSchema.parse({
    signers,
    roles: Object.fromEntries(ROLES.map((role) => [role, [role]])),
    breakGlass: { accounts: ['glass', 'glass-2'], lasts: '1h' },
  });
  const events: SallyportEvent[] = [];
  let full = false;
  const recorder = {
    record: async (event: SallyportEvent) => {
      if (full) throw new Error('the outbox is full');
      events.push(event);
      return `event-${events.length}`;
    },
  };
  beforeEach(() => {
    events.length = 0;
  });
  const app = appOf({ admin });

  function appOf(
    more: Partial<GatewayConfig>,
    store: Pick<Store, 'update'> = memory(),
  ): ReturnType<typeof adminApp> {
    const config = {
      state,
      portal: 'https://access.example.com:8443',
      name: 'edge-1',
      ...more,
    } as GatewayConfig;
    const admins = openAdmins({
      config,
      signed: () => undefined,
      store,
      recorder: recorder as never,
      now: () => now,
    });
    const parts = {
      ...{ admins, recorder, changes: undefined, connectorNames: new Set() },
      sessions: { list: async () => [] },
      devices: {
        list: async () => [],
        baselines: async () => [],
        approveBaseline: async () => undefined,
        removeBaseline: async () => undefined,
      },
      status: () => ({}),
      reloadPolicy: async () => [],
    };
    return adminApp(parts as never);
  }

  interface Wish {
    readonly body?: string;
    readonly gateway?: string;
    readonly namespace?: string;
    readonly at?: number;
    readonly nonce?: string;
    /** What is sent in the place of what was signed. */
    readonly sent?: { readonly path?: string; readonly body?: string };
    /** Another gateway than the one of these tests. */
    readonly to?: ReturnType<typeof adminApp>;
    readonly round?: string;
  }
  let nonces = 0;
  async function ask(
    who: string,
    route: string,
    wish: Wish = {},
  ): Promise<{ status: number; code: unknown }> {
    const [method = '', path = ''] = route.replace(/:[a-z]+/, 'x').split(' ');
    const body = wish.body ?? (method === 'GET' ? '' : '{}');
    const at = new Date(wish.at ?? now).toISOString();
    nonces += 1;
    const nonce = wish.nonce ?? `n${nonces}`;
    const text = textToSign({ gateway: wish.gateway ?? GATEWAY, method, target: path, body, at, nonce });
    const armour = sshSign(keys.get(who) ?? '', wish.namespace ?? ADMIN_NAMESPACE, text);
    const signature = armour.trim().split('\n').slice(1, -1).join('');
    const sent = wish.sent?.body ?? body;
    const reply = await (wish.to ?? app).request(wish.sent?.path ?? path, {
      method,
      headers: {
        ...{ 'sallyport-signature': signature, 'sallyport-signed-at': at, 'sallyport-nonce': nonce },
        ...(wish.round === undefined ? {} : { 'sallyport-round': wish.round }),
      },
      ...(method === 'GET' ? {} : { body: sent }),
    });
    return { status: reply.status, code: ((await reply.json()) as { error?: unknown }).error };
  }

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
    await is('signature-old', 'viewer', { at: now - 61_000 });
    await is('signature-old', 'viewer', { at: now + 61_000 });
    assert.equal((await ask('viewer', route, { nonce: 'same' })).status, 200);
    await is('signature-replayed', 'viewer', { nonce: 'same' });
    const refused = events.filter((event) => event.kind === 'admin-action' && event.verdict === 'refused');
    assert.equal(refused.length, 9);
  });

  test('fifty copies of one request at once are answered once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => ask('viewer', 'GET /v1/status', { nonce: 'one' })),
    );
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
  });

  const STORES: Readonly<
    Record<string, readonly [skip: string | false, open: (t: TestContext) => Promise<Store>]>
  > = {
    'an embedded state': [
      false,
      (t) => openStore({ kind: 'embedded', directory: directoryFor(t) }, () => now),
    ],
    Redis: [
      requires(...REDIS_NEEDS),
      async (t) => {
        const { port } = await redisServer(t);
        const directory = directoryFor(t);
        const file = join(directory, 'secret');
        writeFileSync(file, 'a secret of more than thirty-two characters', { mode: 0o600 });
        const redis = { server: { host: '127.0.0.1', port }, database: 0, prefix: 'sallyport' };
        return openStore({ kind: 'redis', directory, secret: { file }, redis }, () => now);
      },
    ],
  };

  function directoryFor(t: TestContext): string {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-admin-state-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  for (const [name, [skip, open]] of Object.entries(STORES)) {
    test(`with ${name} a request is answered once by all workers together, whoever was started again`, {
      skip,
    }, async (t) => {
      const store = await open(t);
      t.after(() => store.close());
      const worker = (): ReturnType<typeof adminApp> =>
        appOf({ admin, state: join(state, 'worker-1'), worker: { of: 'edge-1' } }, store);
      const [one, other] = [worker(), worker()];
      const status = 'GET /v1/status';
      const asked = async (to: typeof app, nonce: string, round?: string): Promise<unknown> =>
        (await ask('viewer', status, { to, nonce, ...(round === undefined ? {} : { round }) })).code;
      assert.equal(await asked(one, 'a'), undefined);
      assert.equal(await asked(other, 'a'), 'signature-replayed', 'at another worker');
      assert.equal(await asked(worker(), 'a'), 'signature-replayed', 'at one that was started again');
      // What a supervisor asks of all workers is one request.
      assert.equal(await asked(one, 'b', 'round-1'), undefined);
      assert.equal(await asked(other, 'b', 'round-1'), undefined);
      assert.equal(await asked(worker(), 'b', 'round-2'), 'signature-replayed');
      const single = appOf({ admin }, store);
      assert.equal(await asked(single, 'c', 'round-1'), undefined);
      assert.equal(await asked(single, 'c', 'round-1'), 'signature-replayed', 'nobody else has rounds');
      // As long as its signature is good it is not forgotten.
      now += 59_000;
      const late = await ask('viewer', status, { to: one, nonce: 'a', at: now - 59_000 });
      assert.equal(late.code, 'signature-replayed');
    });
  }

  test('while the state does not answer only accounts for emergencies are answered, and once', async () => {
    const store = { update: () => Promise.reject(new StateError('state-unreachable', 'gone')) };
    const cut = appOf({ admin, state: mkdtempSync(join(state, 'cut-')) }, store);
    assert.deepEqual(await ask('viewer', 'GET /v1/status', { to: cut }), {
      status: 503,
      code: 'state-unreachable',
    });
    assert.equal(events.at(-1)?.kind, 'admin-action');
    const opening = { to: cut, nonce: 'open', body: '{"reason":"no Redis"}' };
    assert.equal((await ask('glass', 'POST /v1/break-glass', opening)).status, 200);
    assert.equal((await ask('glass', 'GET /v1/status', { to: cut, nonce: 'one' })).status, 200);
    const again = await ask('glass', 'GET /v1/status', { to: cut, nonce: 'one' });
    assert.equal(again.code, 'signature-replayed');
  });

  test('what cannot be recorded is not done', async () => {
    full = true;
    assert.equal((await ask('viewer', 'GET /v1/status')).status, 503);
    assert.equal((await ask('nobody', 'GET /v1/sessions')).status, 503);
    full = false;
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
      ['glass-2', 'nobody can be reached', now + HOUR],
    );
    assert.equal((await ask('glass-2', 'GET /v1/sessions')).status, 200);
    assert.equal((await ask('glass-2', 'POST /v1/policy/reload')).status, 200);
    const actions = events.filter((event) => event.kind === 'admin-action' && event.verdict === 'allowed');
    assert.ok(actions.every((event) => event.kind === 'admin-action' && event.breakGlass));
    assert.equal((await ask('glass-2', 'POST /v1/break-glass', { body: reason })).code, 'break-glass-spent');
    now += HOUR;
    assert.equal((await ask('glass-2', 'GET /v1/sessions')).code, 'break-glass-spent');
    const again = appOf({ admin });
    assert.ok(again, 'a gateway that starts again reads what was opened');
    assert.equal((await ask('glass-2', 'POST /v1/break-glass', { body: reason })).code, 'break-glass-spent');
    assert.equal(
      (await ask('glass', 'GET /v1/sessions')).code,
      'break-glass-sealed',
      'the other is sealed yet',
    );
  });

  test('fifty who open one account at once are one', async () => {
    const body = JSON.stringify({ reason: 'everybody at once' });
    const asked = Array.from({ length: 50 }, () => ask('glass', 'POST /v1/break-glass', { body }));
    const replies = await Promise.all(asked);
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    assert.equal(events.filter(({ kind }) => kind === 'break-glass-opened').length, 1);
  });

  test('without `admin`, whoever may open the socket is its owner, by their own word', async () => {
    const reply = await appOf({}).request('/v1/status', { headers: { 'sallyport-operator': 'root' } });
    assert.equal(reply.status, 200);
    const [action] = events;
    assert.ok(action?.kind === 'admin-action');
    assert.deepEqual([action.by, action.roles], [{ kind: 'operator', id: 'root' }, ['owner']]);
  });

  test('an address that is not there is answered to nobody', async () => {
    assert.equal((await ask('viewer', 'GET /v1/nothing')).status, 404);
    assert.equal((await ask('viewer', 'HEAD /v1/status'.replace('HEAD', 'DELETE'))).status, 404);
  });

  test('a list that lacks somebody who has a role is refused', () => {
    const roles = { ...admin.roles, viewer: ['eve@example.com'] };
    assert.throws(() => appOf({ admin: { ...admin, roles } }), /has no key of eve@example\.com/);
    assert.throws(
      () => adminSchema.parse({ signers, roles: { viewer: ['glass'] }, breakGlass: { accounts: ['glass'] } }),
      /glass has a role as well/,
    );
  });
});
