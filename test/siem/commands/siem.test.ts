// `sallyport siem` through the real command line, against receivers that answer and receivers that do not.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { startShipping } from '#siem/ship/shipping';
import { examples } from '../ecs/examples.ts';
import { quiet, until } from '../sinks/contract.ts';
import { jsonLines } from '../sinks/http-receiver.ts';

const main = join(import.meta.dirname, '../../../bin/main.ts');
const gateway = { id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' };

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function siem(...argv: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'siem', ...argv], { encoding: 'utf8' }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

interface Taken {
  readonly method: string;
  readonly url: string;
  readonly authorization: string;
  readonly body: Buffer;
}

const OPENSEARCH = '{"version":{"number":"2.19.1","distribution":"opensearch"}}';
const ANSWERS: Readonly<Record<string, string>> = {
  'GET /': '{"version":{"number":"9.4.0"}}',
  'GET /open/': OPENSEARCH,
  'GET /open-again/': OPENSEARCH,
  'GET /open-again/_plugins/_ism/policies/sallyport-logs': '{"_seq_no":7,"_primary_term":2}',
};

function statusOf(method: string, url: string): number {
  return method === 'GET' && url === '/open/_plugins/_ism/policies/sallyport-logs' ? 404 : 200;
}

describe('sallyport siem', { timeout: 60_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-siem-'));
  const config = join(root, 'gateway.yaml');
  const taken: Taken[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const { method = '', url = '', headers } = request;
    taken.push({ method, url, authorization: headers.authorization ?? '', body });
    const odd = url.startsWith('/picky') && body.includes(String(ids[4]));
    const status = odd ? 400 : url.startsWith('/refusing') ? 403 : statusOf(method, url);
    response.writeHead(status).end(odd ? 'too odd' : (ANSWERS[`${method} ${url}`] ?? '{}'));
  });
  let url = '';
  const ids: string[] = [];

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const name of ['secret', 'admin.key'])
      writeFileSync(join(root, name), `${name}-s3cret\n`, { mode: 0o600 });
    writeFileSync(join(root, 'loose'), 's3cret\n', { mode: 0o644 });
    writeFileSync(
      config,
      `version: 1
policy: policy.yaml
portal: https://portal.localhost:8443
identity: { providers: [{ id: idp, name: IdP, issuer: "https://idp.example", clientId: a }] }
apps: [{ id: wiki, name: Wiki, host: wiki.localhost, connectors: [one] }]
siem:
  sinks:
    - { name: soc, type: webhook, url: "${url}/hook", secret: { file: secret } }
    - { name: refusing, type: webhook, url: "${url}/refusing", secret: { file: secret } }
    - { name: nobody, type: webhook, url: "http://127.0.0.1:9", secret: { file: secret } }
    - { name: loose, type: webhook, url: "${url}/hook", secret: { file: loose } }
    - { name: elastic, type: elasticsearch, url: "${url}" }
    - { name: open, type: elasticsearch, url: "${url}/open", user: { name: writer, password: { file: secret } } }
    - { name: open-again, type: elasticsearch, url: "${url}/open-again", user: { name: writer, password: { file: secret } } }
    - { name: nothing, type: elasticsearch, url: "${url}/hook" }
    - { name: picky, type: webhook, url: "${url}/picky", secret: { file: secret } }
    - { name: forbidden, type: elasticsearch, url: "${url}/refusing" }
`,
    );
    const now = (): number => Date.parse('2026-03-04T09:12:13.456Z') + ids.length * 60_000;
    const outbox = new Outbox({ directory: join(root, 'state/outbox'), now });
    const recorder = new Recorder({ outbox, gateway, now });
    for (let minute = 0; minute < 10; minute++) ids.push(await recorder.record(examples.logout));
    const sinks = [{ name: 'soc', type: 'webhook' as const, url, secret: { file: join(root, 'secret') } }];
    const shipping = startShipping(
      outbox,
      { namespace: 'default', sinks },
      { log: quiet, now, random: Math.random },
    );
    await until(() => shipping.standings()[0]?.delivered === 10);
    assert.equal(shipping.standings()[0]?.lagBytes, 0);
    await shipping.stop();
    await outbox.close();
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(root, { recursive: true });
  });

  test('status tells who has everything and who is behind', async () => {
    const { code, out } = await siem('status', '--config', config, '--json');
    assert.equal(code, 1);
    const { sinks } = JSON.parse(out);
    assert.deepEqual(
      sinks
        .slice(0, 5)
        .map((sink: Record<string, unknown>) => [
          sink['name'],
          sink['delivered'],
          sink['waitingBytes'] === 0,
        ]),
      [
        ['soc', 10, true],
        ['refusing', 0, false],
        ['nobody', 0, false],
        ['loose', 0, false],
        ['elastic', 0, false],
      ],
    );
    assert.match(
      (await siem('status', '--config', config)).out,
      /^soc \(webhook\): 10 delivered, 0 dead letters/,
    );
  });

  test('test sends one marked event and waits for the acknowledgement', async () => {
    const { code, out } = await siem('test', 'soc', '--config', config, '--json');
    assert.equal(code, 0);
    const [document] = jsonLines(taken.at(-1)?.body ?? Buffer.alloc(0)) as {
      event: Record<string, unknown>;
    }[];
    assert.equal(document?.event['action'], 'siem-test');
    assert.equal(document?.event['id'], JSON.parse(out).id);
  });

  test('test says what is wrong, without the secret', async () => {
    for (const [name, message] of [
      ['refusing', /answered 403/],
      ['nobody', /did not answer: ECONNREFUSED/],
      ['loose', /chmod 600/],
    ] as const) {
      const { code, err } = await siem('test', name, '--config', config);
      assert.equal(code, 1, name);
      assert.match(err, message);
      assert.doesNotMatch(err, /s3cret/);
    }
  });

  test('replay sends what lies between two instants again, in order', async () => {
    const argv = ['replay', 'soc', '--from', '2026-03-04T09:15:00Z', '--to', '2026-03-04T10:18:00+01:00'];
    const { code, out } = await siem(...argv, '--config', config, '--json');
    assert.equal(code, 0);
    const documents = jsonLines(taken.at(-1)?.body ?? Buffer.alloc(0)) as { event: { id: string } }[];
    assert.deepEqual(
      documents.map(({ event }) => event.id),
      ids.slice(3, 6),
    );
    assert.equal(JSON.parse(out).sent, 3);
  });

  test('replay goes on behind an event that the receiver refuses for good, and says why it does', async () => {
    const from = taken.length;
    const argv = ['replay', 'picky', '--from', '2026-03-04T09:00:00Z', '--config', config, '--json'];
    const { code, out, err } = await siem(...argv);
    assert.deepEqual([code, JSON.parse(out).sent], [1, 9]);
    assert.match(err, /^sallyport siem: picky: refused 1 events: 127\.0\.0\.1:\d+ answered 400: too odd\n$/);
    const got = taken.slice(from).flatMap(({ body }) => jsonLines(body) as { event: { id: string } }[]);
    assert.ok(ids.every((id) => got.some(({ event }) => event.id === id)));
    assert.match((await siem(...argv.with(1, 'refusing'))).err, /stopped after 0 events: .* answered 403/);
  });

  test('setup makes the policy, the parts and the template, in that order, with the stronger key', async () => {
    const from = taken.length;
    const argv = ['setup', 'elastic', '--keep-days', '30', '--api-key-file', join(root, 'admin.key')];
    const { code } = await siem(...argv, '--config', config);
    assert.equal(code, 0);
    const made = taken.slice(from);
    assert.deepEqual(
      made.map(({ method, url: path, authorization }) => [method, path, authorization]),
      [
        ['GET', '/', 'ApiKey admin.key-s3cret'],
        ['PUT', '/_ilm/policy/sallyport-logs', 'ApiKey admin.key-s3cret'],
        ['PUT', '/_component_template/sallyport@mappings', 'ApiKey admin.key-s3cret'],
        ['PUT', '/_ingest/pipeline/sallyport@ingested', 'ApiKey admin.key-s3cret'],
        ['PUT', '/_component_template/sallyport@settings', 'ApiKey admin.key-s3cret'],
        ['PUT', '/_index_template/logs-sallyport', 'ApiKey admin.key-s3cret'],
      ],
    );
    assert.equal(JSON.parse(String(made[1]?.body)).policy.phases.delete.min_age, '30d');
    const { sallyport } = JSON.parse(String(made[2]?.body)).template.mappings.properties;
    const { decision } = sallyport.properties;
    assert.equal(decision.properties.input.dynamic, false);
    assert.equal(decision.properties.input.properties.subject.properties.groups.type, 'keyword');
    assert.equal((await siem('setup', '--print')).out.match(/^PUT /gm)?.length, 5);
  });

  test('setup speaks to OpenSearch in its own words, and replaces the life cycle that is there', async () => {
    for (const [sink, version] of [
      ['open', ''],
      ['open-again', '?if_seq_no=7&if_primary_term=2'],
    ] as const) {
      const from = taken.length;
      const { code, err } = await siem('setup', sink, '--keep-days', '30', '--config', config);
      assert.deepEqual([code, err], [0, '']);
      const made = taken.slice(from);
      const basic = `Basic ${Buffer.from('writer:secret-s3cret').toString('base64')}`;
      assert.deepEqual(
        made.map(({ method, url: path, authorization }) => [method, path, authorization]),
        [
          ['GET', `/${sink}/`, basic],
          ['PUT', `/${sink}/_component_template/sallyport@ecs`, basic],
          ['PUT', `/${sink}/_component_template/sallyport@mappings`, basic],
          ['PUT', `/${sink}/_ingest/pipeline/sallyport@ingested`, basic],
          ['PUT', `/${sink}/_component_template/sallyport@settings`, basic],
          ['PUT', `/${sink}/_index_template/logs-sallyport`, basic],
          ['GET', `/${sink}/_plugins/_ism/policies/sallyport-logs`, basic],
          ['PUT', `/${sink}/_plugins/_ism/policies/sallyport-logs${version}`, basic],
        ],
      );
      const [hot] = JSON.parse(String(made.at(-1)?.body)).policy.states;
      assert.deepEqual(hot.transitions[0].conditions, { min_rollover_age: '30d' });
    }
    const printed = (await siem('setup', '--print', '--opensearch')).out;
    assert.equal(printed.match(/^PUT /gm)?.length, 6);
    assert.doesNotMatch(printed, /_ilm|lifecycle/);
  });

  test('setup says when what answers is no search engine, and what refused it', async () => {
    const { code, err } = await siem('setup', 'nothing', '--config', config);
    assert.equal(code, 1);
    assert.match(err, /neither Elasticsearch nor OpenSearch/);
    const refused = await siem('setup', 'forbidden', '--config', config);
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^sallyport siem: forbidden: 127\.0\.0\.1:\d+ answered 403: the credential does not allow this\n$/,
    );
  });

  for (const [name, argv] of [
    ['no subcommand', []],
    ['an unknown one', ['restart']],
    ['an unknown sink', ['test', 'splunk', '--config', config]],
    ['a time without offset', ['replay', 'soc', '--from', '2026-03-04T09:15:00', '--config', config]],
    ['a setup of what needs none', ['setup', 'soc', '--config', config]],
    ['no configuration', ['status']],
  ] as const) {
    test(`answers 2 for ${name}`, async () => {
      const { code, out, err } = await siem(...argv);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /^sallyport siem: /);
    });
  }

  test('a configuration with a secret in it, or http to another machine, is refused', async () => {
    const good = readFileSync(config, 'utf8');
    const bad = join(root, 'bad.yaml');
    writeFileSync(
      bad,
      good
        .replace(`${url}/refusing`, 'http://siem.example/hook')
        .replace('{ file: loose }', 's3cret')
        .replace('name: nobody', 'name: soc'),
    );
    const { code, err } = await siem('status', '--config', bad);
    assert.equal(code, 2);
    assert.match(err, /http only to this machine/);
    assert.match(err, /:11:\d+: expected a mapping/);
  });
});
