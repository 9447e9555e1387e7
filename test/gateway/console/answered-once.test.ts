// A signed request is answered once: by all gateways and workers on one state together, and also while it is away.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, suite, type TestContext, test } from 'node:test';
import { StateError } from '#gateway/state/error';
import { openStore } from '#gateway/state/open';
import type { Store } from '#gateway/state/store';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { type AdminApp, AdminBed } from './admin-bed.ts';

suite('a signed request', { skip: requires('ssh-keygen') }, () => {
  const bed = new AdminBed();
  after(() => bed.close());
  beforeEach(() => {
    bed.events.length = 0;
  });
  const { admin, events, state } = bed;
  const ask = bed.ask.bind(bed);

  const STORES: Readonly<
    Record<string, readonly [skip: string | false, open: (t: TestContext) => Promise<Store>]>
  > = {
    'an embedded state': [
      false,
      (t) => openStore({ kind: 'embedded', directory: directoryFor(t) }, () => bed.now),
    ],
    Redis: [
      requires(...REDIS_NEEDS),
      async (t) => {
        const { port } = await redisServer(t);
        const directory = directoryFor(t);
        const file = join(directory, 'secret');
        writeFileSync(file, 'a secret of more than thirty-two characters', { mode: 0o600 });
        const redis = { server: { host: '127.0.0.1', port }, database: 0, prefix: 'sallyport' };
        return openStore({ kind: 'redis', directory, secret: { file }, redis }, () => bed.now);
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
      const worker = (): AdminApp =>
        bed.appOf({ admin, state: join(state, 'worker-1'), worker: { of: 'edge-1' } }, store);
      const [one, other] = [worker(), worker()];
      const status = 'GET /v1/status';
      const asked = async (to: AdminApp, nonce: string, round?: string): Promise<unknown> =>
        (await ask('viewer', status, { to, nonce, ...(round === undefined ? {} : { round }) })).code;
      assert.equal(await asked(one, 'a'), undefined);
      assert.equal(await asked(other, 'a'), 'signature-replayed', 'at another worker');
      assert.equal(await asked(worker(), 'a'), 'signature-replayed', 'at one that was started again');
      // What a supervisor asks of all workers is one request.
      assert.equal(await asked(one, 'b', 'round-1'), undefined);
      assert.equal(await asked(other, 'b', 'round-1'), undefined);
      assert.equal(await asked(worker(), 'b', 'round-2'), 'signature-replayed');
      const single = bed.appOf({ admin }, store);
      assert.equal(await asked(single, 'c', 'round-1'), undefined);
      assert.equal(await asked(single, 'c', 'round-1'), 'signature-replayed', 'nobody else has rounds');
      // As long as its signature is good it is not forgotten.
      bed.now += 59_000;
      const late = await ask('viewer', status, { to: one, nonce: 'a', at: bed.now - 59_000 });
      assert.equal(late.code, 'signature-replayed');
    });
  }

  test('while the state does not answer only accounts for emergencies are answered, and once', async () => {
    const store = { update: () => Promise.reject(new StateError('state-unreachable', 'gone')) };
    const cut = bed.appOf({ admin, state: mkdtempSync(join(state, 'cut-')) }, store);
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
});
