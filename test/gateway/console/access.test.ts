// What an admin names to take its access away: a device also by its name, and nothing that can be nobody's is told as revoked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import type { RevocationTarget } from '#gateway/access/revocations';
import { type AccessParts, accessApp } from '#gateway/console/access';
import type { AdminEnv } from '#gateway/console/door';

const LAPTOP = '0123456789abcdef0123456789abcdef';
const FORGOTTEN = 'f'.repeat(32);

test('a device is revoked by its id or its name, a service by its id, and what is neither is told so', async () => {
  const revoked: RevocationTarget[] = [];
  const app = new Hono<AdminEnv>();
  app.use(async (c, next) => {
    c.set('caller', { actor: { kind: 'user', id: 'root' }, roles: ['operator'], breakGlass: false });
    await next();
  });
  app.route(
    '/v1',
    accessApp({
      devices: { list: async () => [{ device: LAPTOP, name: 'ada-laptop' }] },
      revoke: {
        revoke: async (target: RevocationTarget) => {
          revoked.push(target);
          return { sessions: 0, streams: 0, tunnels: 0 };
        },
      },
    } as unknown as AccessParts),
  );
  const ask = async (kind: string, id: string): Promise<readonly unknown[]> => {
    revoked.length = 0;
    const reply = await app.request('/v1/revocations', {
      method: 'POST',
      body: JSON.stringify({ kind, id }),
    });
    const { message } = (await reply.json()) as { message?: string };
    return [reply.status, ...revoked.map((target) => target.id), ...(message === undefined ? [] : [message])];
  };
  assert.deepEqual(await ask('device', LAPTOP), [200, LAPTOP]);
  assert.deepEqual(await ask('device', 'ada-laptop'), [200, LAPTOP]);
  assert.deepEqual(await ask('device', FORGOTTEN), [200, FORGOTTEN]);
  assert.deepEqual(await ask('device', 'ada-latpop'), [404, 'there is no device ada-latpop']);
  for (const service of ['spiffe://prod.example/api', 'k8s:shop/cart']) {
    assert.deepEqual(await ask('service', service), [200, service]);
  }
  for (const service of ['billing', 'service:k8s:shop/cart']) {
    const message = `there is no service ${service}; name it as events do: spiffe://<trust domain>/<path>, or <issuer>:<subject>`;
    assert.deepEqual(await ask('service', service), [404, message]);
  }
});
