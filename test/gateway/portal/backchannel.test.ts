// A provider's word that somebody signed out: heard once, and again after it could not be obeyed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backchannelApp } from '#gateway/portal/backchannel';
import { openEmbeddedStore } from '#gateway/state/embedded';

test('a token ends sessions once, and is heard again if it could not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-backchannel-'));
  let now = 1_000_000;
  const store = openEmbeddedStore(join(directory, 'state'), () => now);
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const ended: string[] = [];
  const refused: string[] = [];
  let gone = false;
  const provider = {
    config: { id: 'corp', name: 'Example Corp' },
    logoutToken: async (token: string) => ({ token, session: 's', expiresAt: now + 60_000 }),
  };
  const app = backchannelApp({
    host: 'access.example.com',
    providers: new Map([['corp', provider]]),
    sessions: { ofProvider: async () => ['session-of-ada'] },
    revoke: {
      revoke: async ({ id }: { id: string }) => {
        if (gone) throw new Error('the state does not answer');
        ended.push(id);
      },
    },
    strangers: { record: async ({ code }: { code: string }) => refused.push(code) },
    store,
    now: () => now,
  } as never);
  app.onError((_error, c) => c.text('', 503));
  const send = async (token: string): Promise<number> => {
    const body = `logout_token=${token}`;
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    };
    return (await app.request('/corp', { method: 'POST', headers, body }, { client: {} } as never)).status;
  };
  gone = true;
  assert.equal(await send('one'), 503);
  gone = false;
  assert.equal(await send('one'), 200, 'the provider tries again');
  assert.equal(await send('one'), 400, 'a replay');
  assert.equal(await send('two'), 200);
  assert.deepEqual(ended, ['session-of-ada', 'session-of-ada']);
  assert.deepEqual(refused, ['logout-token']);
  now += 60_000;
  assert.equal(await store.get('spentToken', 'corp one'), undefined, 'not kept for longer than it is good');
});
