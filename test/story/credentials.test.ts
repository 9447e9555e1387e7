// Credentials for what the gateway speaks to, and what services and terminals prove themselves with: with every sink
// failing and every proof refused once, none of them is anywhere but in its own file, and the store holds them sealed.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { fetch } from 'undici';
import { ask, REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '../requires.ts';
import { keySecrets, secretsFound } from './canaries.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

/** Each in a file of its own name. */
const CREDENTIALS = [
  ...['redis-password', 'state-secret', 'webhook-secret', 'kafka-password', 'splunk-token', 'otlp-header'],
  ...['elastic-key', 'opensearch-password'],
];
const RULES = POLICY.replace(
  'rules:',
  'rules:\n  - { id: ci, allow: wiki, who: ["service:ci:acme/shop"], methods: [GET] }',
);

function furtherOf(services: number, dead: number): string {
  return `services:
  listen: 127.0.0.1:${services}
  issuers:
    - { name: ci, issuer: "https://ci.example", audiences: [sallyport], keys: ./ci.json, algorithms: [ES256], subject: "{repository}" }
siem:
  sinks:
    - { name: hook, type: webhook, url: "https://127.0.0.1:${dead}/hook", secret: { file: ./webhook-secret } }
    - { name: stream, type: kafka, brokers: ["127.0.0.1:${dead}"], topic: t, tls: false, sasl: { username: u, password: { file: ./kafka-password } } }
    - { name: splunk, type: splunk, url: "https://127.0.0.1:${dead}", token: { file: ./splunk-token } }
    - { name: otlp, type: otlp, url: "https://127.0.0.1:${dead}", authorization: { file: ./otlp-header } }
    - { name: elastic, type: elasticsearch, url: "https://127.0.0.1:${dead}", apiKey: { file: ./elastic-key } }
    - { name: search, type: elasticsearch, url: "https://127.0.0.1:${dead}", user: { name: u, password: { file: ./opensearch-password } } }
`;
}

test('credentials are nowhere but where they belong', {
  skip: requires(...NEEDS, ...REDIS_NEEDS),
  timeout: 180_000,
}, async (t) => {
  const step = stepsOf(t);
  const made = new Map(CREDENTIALS.map((name) => [name, randomBytes(32).toString('base64url')]));
  // Its user has no password, and so takes any.
  const redis = await redisServer(t);
  const [services = 0, dead = 0] = await freePorts(2);
  const keys = await generateKeyPair('ES256');
  const jwk = await exportJWK(keys.publicKey);
  const installation = await StoryInstallation.start(t, {
    further: furtherOf(services, dead),
    prepare: (directory) => {
      const write = (name: string, text: string): void =>
        writeFileSync(join(directory, name), text, { mode: 0o600 });
      for (const [name, value] of made) write(name, `${value}\n`);
      write('ci.json', JSON.stringify({ keys: [{ ...jwk, kid: 'ci-1', alg: 'ES256' }] }));
      write('policy.yaml', RULES);
      const own = readFileSync(join(directory, 'gateway.yaml'), 'utf8');
      const shared = `state:\n  kind: redis\n  directory: ./state\n  secret: { file: ./state-secret }\n  redis: { server: "127.0.0.1:${redis.port}", username: default, password: { file: ./redis-password } }\n`;
      write('gateway.yaml', own.replace('state: ./state\n', shared));
    },
  });
  const { portal, secrets } = installation;
  for (const [name, value] of made) secrets.set(name, value);
  const answers: string[] = [];
  const dispatcher = installation.dispatcher(installation.ca);

  /** A service's request; its answer's text. */
  async function asService(headers: Record<string, string>, path = '/'): Promise<number> {
    const url = `https://wiki.localhost:${services}${path}`;
    const reply = await fetch(url, { headers, dispatcher });
    answers.push(await reply.text(), JSON.stringify([...reply.headers]));
    return reply.status;
  }

  await step('services show tokens that are good, spoilt, too old, and in the wrong place', async () => {
    const token = async (name: string, life: string, key = keys.privateKey): Promise<string> => {
      const text = await new SignJWT({ repository: 'acme/shop', sub: 'job-1' })
        .setProtectedHeader({ alg: 'ES256', kid: 'ci-1' })
        .setIssuer('https://ci.example')
        .setAudience('sallyport')
        .setIssuedAt()
        .setExpirationTime(life)
        .sign(key);
      secrets.set(name, text.split('.')[2] ?? '');
      return text;
    };
    const good = await token('good token', '5m');
    assert.equal(await asService({ authorization: `Bearer ${good}` }), 200);
    assert.equal(await asService({ authorization: `Bearer ${await token('old token', '-5m')}` }), 401);
    const foreign = (await generateKeyPair('ES256')).privateKey;
    assert.equal(
      await asService({ authorization: `Bearer ${await token('forged token', '5m', foreign)}` }),
      401,
    );
    assert.equal(await asService({ 'x-api-key': good }, `/a//b?access_token=${good}`), 400);
    assert.equal(await asService({}, `/?access_token=${good}`), 401);
  });

  await step('terminals show tokens and proofs of devices that are not good', async () => {
    const visitor = installation.visitor();
    secrets.set('terminal token', 'canaryterminalcanaryterminalcanaryterminal0');
    secrets.set('proof', 'canary-proof-5b1e44');
    for (const scheme of ['Bearer', 'DPoP']) {
      const headers = {
        authorization: `${scheme} ${secrets.get('terminal token')}`,
        dpop: `eyJhbGciOiJFUzI1NiJ9.e30.${secrets.get('proof')}`,
      };
      const body = JSON.stringify({ device: 'x' });
      const reply = await visitor.ask(`${portal}/device/attest`, { method: 'POST', headers, body });
      answers.push(reply.body);
      answers.push((await visitor.ask(`${portal}/connect/db`, { headers })).body);
    }
  });

  await step('every sink has failed, and said so', async () => {
    await until('each sink complained', () => {
      const { output } = installation.gateway;
      return ['hook', 'stream', 'splunk', 'otlp', 'elastic', 'search'].every((name) => output.includes(name));
    });
    const { output } = await installation.sallyport('siem', 'test', '--config', 'gateway.yaml');
    answers.push(output);
  });

  await step('what is in Redis shows none of them, nor any key', async () => {
    for (const file of globSync('state/**/{*.key,passphrase}', { cwd: installation.directory })) {
      for (const [index, line] of keySecrets(installation.path(file)).entries())
        secrets.set(`${file} ${index}`, line);
    }
    assert.ok(
      [...secrets.keys()].some((name) => name.startsWith('state/')),
      'there are keys',
    );
    const records = await everything(redis.port);
    assert.ok(records.length > 5, `${records.length} records`);
    answers.push(...records);
  });

  await step('no file, log, event or answer contains one', async () => {
    await installation.gateway.stop();
    const { found, files } = secretsFound(installation, answers, (what, where) => {
      if (what === 'client secret') return where === 'client-secret';
      if (what.startsWith('enrolment token')) return where.endsWith('.token');
      return where === what || what.startsWith(`${where} `);
    });
    assert.deepEqual(found, []);
    assert.ok(files.includes('gateway.log') && files.includes('state/outbox/000000000001.jsonl'));
  });
});

const EVERYTHING = `local out = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local value = kind
  if kind == 'string' then value = redis.call('GET', key)
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key) end
  out[#out + 1] = key .. ' ' .. cjson.encode(value)
end
return out`;

/** Every key of a Redis with its value, as text. */
async function everything(port: number): Promise<string[]> {
  return ((await ask(port, 'EVAL', EVERYTHING, '0')) ?? []) as string[];
}
