// No secret is anywhere but where it belongs: not in a log, an event, the database or a page, also when things go
// wrong around it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { keySecrets, secretsFound } from './canaries.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

test('secrets are nowhere but where they belong', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { portal, receiver, secrets } = installation;
  const step = stepsOf(t);
  const pages: string[] = [];
  const wiki = installation.originOf('wiki');

  await step('a day with every kind of secret, and much that goes wrong', async () => {
    const ada = installation.visitor();
    pages.push((await ada.signIn(`${wiki}/`, 'ada', 'key')).body);
    // That app's answer is not kept: it shows what it was given.
    await ada.signIn(`${installation.originOf('drop')}/`, 'ada', 'key');
    for (const [host, jar] of ada.cookies) {
      if (host !== 'id.localhost') for (const [name, value] of jar) secrets.set(`${name} on ${host}`, value);
    }
    // A password in a query, and one in a header that is refused for another reason.
    secrets.set('query value', 'canary-query-4f1d2c');
    secrets.set('authorization', 'canary-authorization-77aa01');
    const headers = { authorization: `Bearer ${secrets.get('authorization')}` };
    pages.push((await ada.ask(`${wiki}/x?password=${secrets.get('query value')}`, { headers })).body);
    pages.push(
      (await ada.signIn(`${installation.originOf('ledger')}/?q=${secrets.get('query value')}`, 'ada', 'key'))
        .body,
    );
    pages.push((await ada.ask(`${wiki}/a//b?q=${secrets.get('query value')}`, { headers })).body);
    const stranger = installation.visitor();
    pages.push((await stranger.ask(`${wiki}/?token=${secrets.get('query value')}`, { headers })).body);
    // A callback with a real state and code, and a hand-off code, all spoilt.
    const begun = await stranger.ask(`${portal}/sign-in`);
    const state = new URL(String(begun.headers['location'])).searchParams.get('state') ?? '';
    secrets.set('state', state);
    secrets.set('code', 'canary-code-93ab55');
    pages.push((await stranger.ask(`${portal}/callback/corp?code=canary-code-93ab55&state=${state}`)).body);
    secrets.set('hand-off code', 'canaryhandoffcanaryhandoffcanaryhandoff0123');
    pages.push((await stranger.ask(`${wiki}/.sallyport/enter?code=${secrets.get('hand-off code')}`)).body);
    const used = await installation.token('second.token');
    const spent = await installation.sallyport('connector', '--config', 'connector.yaml', '--check');
    pages.push(spent.output);
    installation.write(
      'twice.yaml',
      readFileSync(installation.path('connector.yaml'), 'utf8').replace('./connector-state', './twice'),
    );
    installation.write('used.token', readFileSync(installation.path('enrol.token'), 'utf8'));
    const again = await installation.sallyport(
      'connector',
      '--config',
      'twice.yaml',
      '--token-file',
      'used.token',
      '--json',
    );
    assert.equal(again.code, 1, again.output);
    pages.push(again.output, used === '' ? '' : 'made');
    const seen = receiver.seen[0]?.headers ?? [];
    const assertion = seen[seen.indexOf('X-Sallyport-Assertion') + 1] ?? '';
    assert.match(assertion, /^eyJ/);
    secrets.set('assertion', assertion.split('.')[2] ?? '');
    await until(
      'the gateway has said it all',
      async () => (await installation.metric('sallyport_refused_total')) ?? 0,
    );
  });

  await step('`why` of each decision shows none either', async () => {
    const denied = installation.events().findLast(({ event }) => event.action === 'access-denied');
    const { code, output } = await installation.sallyport(
      'why',
      denied?.event.id ?? '',
      '--config',
      'gateway.yaml',
    );
    assert.equal(code, 0, output);
    pages.push(output);
  });

  await step('files that hold keys are for their owner only', () => {
    const keys = globSync('**/*{.key,passphrase,identity.pem,client-secret,.token,.sqlite}', {
      cwd: installation.directory,
    });
    const loose = keys.filter((file) => (statSync(installation.path(file)).mode & 0o077) !== 0);
    assert.deepEqual(loose, []);
    assert.ok(keys.length >= 6, keys.join(' '));
    for (const file of keys.filter((name) => /\.key$|passphrase$|identity\.pem$/.test(name))) {
      const own = keySecrets(installation.path(file));
      assert.ok(own.length > 0, `${file} holds a secret`);
      for (const [index, line] of own.entries()) secrets.set(`${file} ${index}`, line);
    }
  });

  await step('nothing else in the whole installation contains one, nor does any answer', async () => {
    await installation.gateway.stop();
    const { found, files } = secretsFound(installation, pages, belongs);
    assert.deepEqual(found, []);
    for (const wanted of ['gateway.log', 'connector.log', 'state/outbox/000000000001.jsonl']) {
      assert.ok(files.includes(wanted), `${wanted} was looked at`);
    }
  });

  await step('the look would have found one', () => {
    const [first] = secrets.values();
    assert.ok(
      first !== undefined && readFileSync(installation.path('client-secret'), 'utf8').includes(first),
    );
    const hash = createHash('sha256')
      .update(secrets.get('__Host-sallyport on wiki.localhost') ?? '')
      .digest('base64url');
    const store = globSync('state/*.sqlite*', { cwd: installation.directory })
      .map((file) => readFileSync(installation.path(file), 'latin1'))
      .join('');
    assert.ok(store.includes(hash), 'of a cookie the store has the hash');
  });
});

function belongs(what: string, where: string): boolean {
  if (what === 'client secret') return where === 'client-secret';
  if (what.startsWith('enrolment token')) return where.endsWith('.token');
  return what.startsWith(`${where} `);
}
