// A TPM that an admin names enrols without a token, and none is handed out that would open nothing.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Hono } from 'hono';
import { run } from '#bin/commands/device/token';
import type { DeviceDesk } from '#gateway/attest/desk';
import { deviceAdmin } from '#gateway/console/devices';
import type { AdminEnv } from '#gateway/console/door';

const desk = {
  grant: async () => ({ token: 'sallyport-device.secret', expiresAt: 1 }),
} as unknown as DeviceDesk;
const app = new Hono<AdminEnv>();
app.use(async (c, next) => {
  c.set('caller', { actor: { kind: 'user', id: 'ada' }, roles: [], breakGlass: false });
  await next();
});
app.route('/', deviceAdmin(desk, new Set()));

async function granted(more: object): Promise<unknown> {
  const body = JSON.stringify({ name: 'laptop', approved: false, life: 60_000, ...more });
  const reply = await app.request('/device-tokens', { method: 'POST', body });
  assert.equal(reply.status, 201, await reply.clone().text());
  return reply.json();
}

test('by the API', async () => {
  assert.deepEqual(await granted({}), {
    ...{ name: 'laptop', token: 'sallyport-device.secret', expiresAt: 1 },
  });
  assert.deepEqual(await granted({ ekName: '000b1234' }), { name: 'laptop', expiresAt: 1 });
});

test('by the command, which writes no file for it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ek-name-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const said: string[] = [];
  const { write } = process.stderr;
  const catching = t.mock.method(process.stderr, 'write', (chunk: string | Uint8Array) => {
    if (typeof chunk !== 'string') return write.call(process.stderr, chunk);
    return said.push(chunk) > 0;
  });
  const out = join(directory, 'token');
  const config = join(directory, 'gateway.yaml');
  const code = await run(['--config', config, '--name', 'laptop', '--ek-name', '000b1234', '--out', out]);
  catching.mock.restore();
  assert.equal(code, 2);
  assert.match(said.join(''), /enrols without a token: leave out --out/);
  assert.equal(existsSync(out), false);
});
