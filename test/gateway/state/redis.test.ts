// The store in Redis: the contract on a real server of each kind, and what is true of Redis alone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openAuthority } from '#gateway/pki/authority';
import type { RedisConfig } from '#gateway/state/config';
import { StateError } from '#gateway/state/error';
import {
  ask,
  elapse,
  REDIS_NEEDS,
  redisCluster,
  redisServer,
  type Scope,
  sentinels,
} from '#test/contract/redis';
import { aclLine } from '#test/contract/redis-secure';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { at, contractOn, open, ownClient, secretFile } from './redis-bed.ts';

const skip = requires(...REDIS_NEEDS);
/** Arguments for a server with the ACL user that the page on state tells people to make. */
function aclUser(password: string): string[] {
  return `--${aclLine('servers', password)}`.split(' ');
}

function user(scope: Scope): Pick<RedisConfig, 'username' | 'password'> {
  return { username: 'gateway', password: secretFile(scope, 'of-the-gateways') };
}

contractOn('the store in one Redis', async (scope) => ({ server: at((await redisServer(scope)).port) }));

contractOn('the store in a Redis with Sentinels', async (scope) => {
  const { name, sentinels: watchers } = await sentinels(scope, { args: aclUser('of-the-gateways') });
  return { ...user(scope), sentinel: { name, addresses: watchers.map(({ port }) => at(port)) } };
});

contractOn('the store in a Redis Cluster', async (scope) => ({
  ...user(scope),
  cluster: (await redisCluster(scope, aclUser('of-the-gateways'))).map(({ port }) => at(port)),
}));

contractOn(
  'the store in a Redis over TLS, as an ACL user with the rights it needs and no more',
  async (scope) => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-redis-tls-'));
    scope.after(async () => rmSync(directory, { recursive: true, force: true }));
    const authority = await openAuthority(join(directory, 'ca'), 'Redis', Date.now);
    const { certificate, key } = await authority.issueServer(['127.0.0.1'], 3_600_000);
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text, { mode: 0o600 });
      return join(directory, name);
    };
    const [port] = await freePorts(1);
    const ca = file('ca.pem', authority.certificate);
    await redisServer(scope, {
      port: port ?? 0,
      args: [
        ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
        ...['--tls-cert-file', file('cert.pem', certificate), '--tls-key-file', file('key.pem', key)],
        ...['--tls-ca-cert-file', ca],
        ...['--user', 'default', 'on', 'nopass', 'resetkeys', '~sallyport:passed:*', '-@all'],
        ...['+info', '+keys', '+eval', '+pttl', '+pexpire', ...aclUser('of-the-gateways')],
      ],
    });
    return {
      server: at(port ?? 0),
      tls: { ca },
      ...user(scope),
    };
  },
);

describe('Redis', { skip }, () => {
  test('holds nothing that can be read, or put elsewhere, without the secret', async (t) => {
    const { port } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    await store.put('door', 'one', { session: 'session-of-ada', host: 'wiki.example.com' });
    await store.put('door', 'two', { session: 'session-of-ben', host: 'wiki.example.com' });
    const raw = String(await ask(port, 'GET', 'sallyport:{door}:one'));
    assert.ok(raw.length > 20 && !Buffer.from(raw, 'base64').includes('session-of'));
    await ask(port, 'SET', 'sallyport:{door}:two', raw);
    await assert.rejects(
      store.get('door', 'two'),
      (error) => error instanceof StateError && error.code === 'state-sealed',
    );
    await ask(port, 'SET', 'sallyport:{door}:three', 'AAAA');
    await assert.rejects(store.get('door', 'three'), StateError);
  });

  test('of another secret, or of a newer layout, is refused in words', async (t) => {
    const { port } = await redisServer(t);
    await (await open(t, { server: at(port) })).close();
    await assert.rejects(
      open(t, { server: at(port) }, { secret: 'another secret of more than 32 characters' }),
      /another secret: give every gateway the same file/,
    );
    await assert.rejects(open(t, { server: at(port) }, { secret: 'short' }), /openssl rand -base64 32/);
    await ask(port, 'SET', 'sallyport:layout', '99 x');
    await assert.rejects(open(t, { server: at(port) }), /layout 99; this Sallyport knows 1/);
  });

  test('gives its user no right that is not used', async (t) => {
    const [port = 0] = await freePorts(1);
    await redisServer(t, { port, args: ['--port', String(port), ...aclUser('of-the-gateways')] });
    t.mock.timers.enable({ apis: ['setInterval'] });
    const options = { ...user(t), server: at(port), database: 1 };
    let now = Date.now();
    const store = await open(t, options, { now: () => now });
    t.after(() => store.close());
    await store.put('door', 'a', { session: 's', host: 'h' }, now + 60_000);
    await store.create('door', 'b', { session: 's', host: 'h' });
    await store.list('door');
    await store.take('door', 'a');
    await store.admit('k', 1, 1_000);
    await store.subscribe(
      'news',
      () => undefined,
      () => undefined,
    );
    await store.publish('news', 'x');
    // One that Redis let expire, and that only a sweep strikes from the index.
    await store.put('door', 'c', { session: 's', host: 'h' }, now + 1);
    now += 180_000;
    t.mock.timers.tick(60_000);
    const granted = [...aclLine('servers', '').matchAll(/\+([a-z|]+)/g)].map(([, name = '']) => name);
    // What one server by itself is not asked: for acknowledgements of replicas, and for what only a Cluster has.
    const elsewhere = ['wait', 'asking', 'cluster|slots', 'cluster|info'];
    const used = await until('the sweep', async () => {
      const stats = String(await ask(port, 'INFO', 'commandstats'));
      return stats.includes('cmdstat_exists:') ? stats : undefined;
    });
    assert.deepEqual(
      granted.filter((name) => !used.includes(`cmdstat_${name}:`)),
      elsewhere,
    );
  });

  test('counts what passes beside the counts of earlier versions, which go on', async (t) => {
    const [port = 0] = await freePorts(1);
    // What these asked of their user, and no more.
    const rights = aclLine('servers', 'of-the-gateways').replace('+pttl', '+incr +pexpire +pttl');
    await redisServer(t, { port, args: ['--port', String(port), ...`--${rights}`.split(' ')] });
    await ask(port, 'SET', 'sallyport:count:k', '7', 'PX', '60000');
    const store = await open(t, { ...user(t), server: at(port) });
    t.after(() => store.close());
    assert.equal(await store.admit('k', 1, 60_000), 0);
    assert.ok((await store.admit('k', 1, 60_000)) > 0);
    assert.equal(await ask(port, 'INCR', 'sallyport:count:k'), 8);
  });

  test('whose clock was set back keeps nobody out for longer than a period', async (t) => {
    const { port } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    const clock = await ownClient(t, { server: at(port) });
    const period = 3_600_000;
    assert.equal(await store.admit('k', 1, period), 0);
    await elapse(clock, -86_400_000);
    assert.equal(await store.admit('k', 1, period), period);
    await elapse(clock, period / 2);
    const wait = await store.admit('k', 1, period);
    assert.ok(wait > 0 && wait <= period / 2, String(wait));
    await elapse(clock, wait);
    assert.equal(await store.admit('k', 1, period), 0);
  });

  test('keeps less than a kilobyte of what passed, however much did', async (t) => {
    const { port } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    const clock = await ownClient(t, { server: at(port) });
    for (let i = 0; i < 300; i += 1) {
      assert.equal(await store.admit('k', 1_000_000_000, 3_600_000), 0);
      await elapse(clock, 30_000);
    }
    const size = Number(await ask(port, 'STRLEN', 'sallyport:passed:k'));
    assert.ok(size > 900 && size < 1_000, String(size));
  });

  test('that hangs becomes an error soon, and is used again when it wakes', async (t) => {
    const { port, part } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    await store.put('door', 'one', { session: 's', host: 'h' });
    part.signal('SIGSTOP');
    await assert.rejects(store.get('door', 'one'), StateError);
    part.signal('SIGCONT');
    await until('it answers again', () => store.get('door', 'one').catch(() => undefined));
  });

  test('tells who listens that something may have been missed once it hears again', async (t) => {
    const first = await redisServer(t);
    const store = await open(t, { server: at(first.port) });
    t.after(() => store.close());
    const heard: string[] = [];
    let missed = 0;
    await store.subscribe(
      'news',
      (message) => heard.push(message),
      () => {
        missed += 1;
      },
    );
    await first.part.kill();
    await assert.rejects(store.publish('news', 'lost'), StateError);
    await redisServer(t, { port: first.port });
    await until('it heard of the gap', () => missed === 1);
    await until('it writes again', () =>
      store.publish('news', 'heard').then(
        () => true,
        () => false,
      ),
    );
    await until('the news', () => heard.includes('heard'));
    assert.ok(!heard.includes('lost'));
  });
});
