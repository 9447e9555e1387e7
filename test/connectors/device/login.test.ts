// What waits on loopback for a person's approval: whatever else a browser is made to ask there changes nothing.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { LoginError, login } from '#connectors/device/login';
import { portalAgent } from '#connectors/device/transport';

function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path }, (reply) => {
      reply.resume().once('end', () => resolve(reply.statusCode ?? 0));
    })
      .once('error', reject)
      .end();
  });
}

test('a sign-in goes on whatever pages make a browser ask it', async () => {
  const statuses: Promise<number>[] = [];
  const signing = login({
    portal: new URL('https://127.0.0.1:1'),
    agent: portalAgent(undefined),
    show(url) {
      const { searchParams } = new URL(url);
      const port = Number(searchParams.get('port'));
      const approved = `/?${new URLSearchParams({ code: 'c', state: searchParams.get('state') ?? '' })}`;
      const paths = ['//', '//a:b', '/?code=c&state=other', '/favicon.ico'];
      statuses.push(...paths.map((path) => ask(port, path)));
      void Promise.allSettled(statuses).then(() => ask(port, approved));
    },
  });
  // The code arrived: it is redeemed at a portal that is not there.
  await assert.rejects(signing, (error) => error instanceof LoginError && error.code === 'unreachable');
  assert.deepEqual(await Promise.all(statuses), [404, 404, 404, 404]);
});
