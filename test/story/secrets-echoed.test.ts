// Receivers and providers that say back what they were told in confidence, in every answer they give: none of it may
// reach a log, an event, a page or what a command prints.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { CLIENT, HostileProvider } from '../gateway/identity/hostile.ts';
import { requires } from '../requires.ts';
import { secretsFound } from './canaries.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

/** Printable as it goes over the line: it would be found in any encoding of ours but base64, which is looked for too. */
const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString('hex')}`;

/** Answers each in turn with another failure, that says everything that was said. */
async function sayBack(
  request: IncomingMessage,
  response: ServerResponse,
  heard: Set<string>,
): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const { authorization = '' } = request.headers;
  heard.add(authorization.split(' ', 1)[0] || String(request.url));
  const told = `${authorization} ${decoded(request)} ${JSON.stringify(request.headers)}`;
  response.writeHead(
    [401, 400, 503, 403][body.length % 4] ?? 401,
    told.replace(/[^\x20-\x7e]/g, '?').slice(0, 500),
    {
      'Content-Type': 'application/json',
      'X-Said': encodeURIComponent(told).slice(0, 1000),
    },
  );
  response.end(
    JSON.stringify({ error: { type: told, reason: told }, text: told, message: told, errors: [told] }),
  );
}

/** Name and password of Basic authentication, in clear. */
function decoded({ headers }: IncomingMessage): string {
  const [, basic = ''] = /^Basic (.*)$/.exec(headers.authorization ?? '') ?? [];
  return decodeURIComponent(Buffer.from(basic, 'base64').toString('latin1'));
}

test('what is said back is not passed on', { skip: requires(...NEEDS) }, async (t) => {
  const step = stepsOf(t);
  const secrets = new Map(
    ['elastic', 'basic', 'splunk', 'otlp', 'webhook', 'corp'].map((name) => [name, canary(name)]),
  );
  const heard = new Set<string>();
  const echo = createServer((request, response) => void sayBack(request, response, heard));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.after(() => {
    echo.closeAllConnections();
    echo.close();
  });
  const url = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;

  const place = mkdtempSync(join(tmpdir(), 'sallyport-echo-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const authority = await openAuthority(place, 'Echo', Date.now);
  const hostile = await HostileProvider.start(await issueCertificate(authority, ['localhost']));
  t.after(() => hostile.close());

  const installation = await StoryInstallation.start(t, {
    prepare: (directory) => {
      const keep = (name: string, text: string): void =>
        writeFileSync(join(directory, name), text, { mode: 0o600 });
      for (const [name, value] of secrets) keep(`${name}.secret`, `${value}\n`);
      keep('echo-ca.pem', authority.certificate);
    },
    providers: `    - id: echo
      name: Echo
      issuer: ${hostile.issuer}
      clientId: ${CLIENT}
      clientSecret: { file: ./corp.secret }
      ca: ./echo-ca.pem
`,
    further: `siem:
  sinks:
    - { name: elastic, type: elasticsearch, url: "${url}", apiKey: { file: ./elastic.secret } }
    - { name: basic, type: elasticsearch, url: "${url}", user: { name: shipper, password: { file: ./basic.secret } } }
    - { name: splunk, type: splunk, url: "${url}", token: { file: ./splunk.secret } }
    - { name: otlp, type: otlp, url: "${url}", authorization: { file: ./otlp.secret } }
    - { name: webhook, type: webhook, url: "${url}", secret: { file: ./webhook.secret } }
`,
  });
  const said: string[] = [];
  const { portal } = installation;

  await step(
    'a sign-in at a provider that says back the client’s secret, the code and the verifier',
    async () => {
      const stranger = installation.visitor();
      for (const status of [400, 401, 500, 200]) {
        hostile.misdeeds.token = (response, request, body) => {
          const told = [request.headers.authorization ?? '', decoded(request), body].join(' ');
          response.writeHead(status, { 'Content-Type': 'application/json' });
          response.end(
            JSON.stringify({ error: 'invalid_client', error_description: told, error_uri: told, said: told }),
          );
          return true;
        };
        const begun = await stranger.ask(`${portal}/sign-in?provider=echo`);
        const to = new URL(String(begun.headers['location']));
        assert.equal(to.origin, hostile.issuer);
        const state = to.searchParams.get('state') ?? '';
        const code = canary('code');
        secrets.set(`state ${status}`, state);
        secrets.set(`code ${status}`, code);
        const back = await stranger.ask(`${portal}/callback/echo?code=${code}&state=${state}`, {
          headers: { accept: 'text/html' },
        });
        assert.ok(back.status >= 400, `answered ${back.status}`);
        said.push(back.body, JSON.stringify(begun.headers['set-cookie']));
      }
      assert.ok(hostile.asked.filter((path) => path === '/token').length >= 4, 'it was told');
    },
  );

  await step('sinks that say back their credentials', async () => {
    await until('each has been refused', async () => {
      const { code, output } = await installation.sallyport(
        'siem',
        'status',
        '--config',
        'gateway.yaml',
        '--json',
      );
      assert.ok(code === 0 || code === 1, output);
      return heard.size >= 5 ? true : undefined;
    });
    for (const name of ['elastic', 'basic', 'splunk', 'otlp', 'webhook']) {
      const { output } = await installation.sallyport('siem', 'test', name, '--config', 'gateway.yaml');
      said.push(output);
    }
  });

  await step('commands that print what there is', async () => {
    for (const words of [
      ['gateway', '--check'],
      ['status'],
      ['status', '--json'],
      ['sessions', '--json'],
      ['ca', 'show', '--json'],
      ['device', 'list', '--json'],
      ['siem', 'status', '--json'],
      ['audit', 'verify', '--json'],
    ]) {
      const { output } = await installation.sallyport(...words, '--config', 'gateway.yaml');
      said.push(`${words.join(' ')}\n${output}`);
    }
    const health = `http://127.0.0.1:${installation.ports.health}`;
    for (const path of ['/metrics', '/readyz', '/livez'])
      said.push(await (await fetch(health + path)).text());
  });

  await step('nothing of it is anywhere but in the files it came from', async () => {
    await installation.gateway.stop();
    const words = ['state', 'backup', '--config', 'gateway.yaml', '--out', 'state.backup'];
    const { code, output } = await installation.sallyport(...words);
    assert.equal(code, 0, output);
    said.push(output);
    for (const [name, value] of secrets) {
      installation.secrets.set(name, value);
      installation.secrets.set(`${name} in base64`, Buffer.from(value).toString('base64').replace(/=+$/, ''));
    }
    const { found, files } = secretsFound(installation, said, (what, where) => {
      if (where.endsWith('.secret')) return what.startsWith(where.replace('.secret', ''));
      if (what === 'client secret') return where === 'client-secret';
      return what.startsWith('enrolment token') && where.endsWith('.token');
    });
    assert.deepEqual(found, []);
    assert.ok(files.includes('state.backup') && files.includes('gateway.log'), files.join(' '));
  });
});
