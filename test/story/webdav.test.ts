// Where a WebDAV request copies or moves to is asked for as much as where it copies from: decided, recorded, and named to
// the app (nginx) as that knows itself.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';

const CLOSED = '  - { id: closed-shelf, deny: wiki, paths: ["/shelf/closed/**"] }\n';

test('a copy goes where its person may write, and nowhere else', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t, {
    prepare: (directory) => writeFileSync(join(directory, 'policy.yaml'), POLICY + CLOSED),
  });
  const home = installation.originOf('wiki');
  const ada = installation.visitor();
  await ada.signIn(`${home}/`, 'ada', 'password');
  const kept = (path: string): string => installation.path(`nginx/html${path}`);
  const carry = (method: string, from: string, destination: string) =>
    ada.ask(home + from, { method, headers: { destination, overwrite: 'T' } });
  mkdirSync(kept('/shelf/closed'), { recursive: true });
  assert.equal((await ada.ask(`${home}/shelf/a`, { method: 'PUT', body: 'a book' })).status, 201);

  await t.test('by its address, and by its path', async () => {
    assert.ok((await carry('COPY', '/shelf/a', `${home}/shelf/%5Bb%5D`)).status < 300);
    assert.equal(readFileSync(kept('/shelf/[b]'), 'utf8'), 'a book');
    assert.ok((await carry('MOVE', '/shelf/%5Bb%5D', '/shelf/c?d')).status < 300);
    assert.equal(readFileSync(kept('/shelf/c'), 'utf8'), 'a book');
  });

  await t.test('a place that is denied stays as it was, and the denial names it', async () => {
    for (const [method, to] of [
      ['COPY', '/shelf/closed/x'],
      ['MOVE', `${home}/shelf/closed/x`],
      ['COPY', '/shelf/%63losed/x'],
    ] as const) {
      assert.equal((await carry(method, '/shelf/a', to)).status, 403, `${method} ${to}`);
      const denied = installation.events().findLast(({ event }) => event.action === 'access-denied');
      assert.equal(denied?.url?.path, '/shelf/closed/x');
    }
    assert.ok(!existsSync(kept('/shelf/closed/x')));
    assert.ok(existsSync(kept('/shelf/a')));
  });

  await t.test('what is no address of this app reaches nobody', async () => {
    const before = installation.nginx.log().length;
    for (const to of [
      `${home.replace('https:', 'http:')}/shelf/x`,
      `${installation.originOf('drop')}/shelf/x`,
      '//drop.localhost/shelf/x',
      '/shelf/open/../closed/x',
      'closed/x',
      '',
    ]) {
      const { status, body } = await carry('COPY', '/shelf/a', to);
      assert.deepEqual([status, JSON.parse(body).code], [400, 'destination'], to);
    }
    assert.equal(installation.nginx.log().length, before);
  });
});
