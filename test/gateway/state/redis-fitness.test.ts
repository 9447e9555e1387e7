// A Redis that is not fit to hold access: refused or warned of, in words that say what to do.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StateError } from '#gateway/state/error';
import { warningsOf } from '#gateway/state/redis-condition';
import { ask, REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { at, open, ownClient, secretFile } from './redis-bed.ts';

describe('a Redis', { skip: requires(...REDIS_NEEDS) }, () => {
  test('with another password is told of in words, without the password', async (t) => {
    const { port } = await redisServer(t, { args: ['--requirepass', 'right'] });
    await assert.rejects(
      open(t, { server: at(port), password: secretFile(t, 'wrong-one') }),
      (error: Error) => {
        assert.match(error.message, /no Redis at 127\.0\.0\.1:\d+: WRONGPASS/);
        return !error.message.includes('wrong-one');
      },
    );
    await assert.rejects(open(t, { server: at(port) }), /NOAUTH/);
  });

  test('whose password is changed while it is used is told of as at the start, until it is right again', async (t) => {
    const { port } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    const own = await ownClient(t, { server: at(port) });
    await own.call('CONFIG', 'SET', 'requirepass', 'changed');
    await own.call('CLIENT', 'KILL', 'SKIPME', 'yes');
    await until('it says why', () =>
      store.warnings()[0]?.startsWith(`no Redis at 127.0.0.1:${port}: NOAUTH`),
    );
    assert.match(store.warnings()[0] ?? '', /it asks for a password: set state\.redis\.password\.file$/);
    await assert.rejects(store.get('revocation', 'device:a'), /there is no connection to it$/);
    const silent = store.confirmedAt();
    await own.call('CONFIG', 'SET', 'requirepass', '');
    await until('it works again by itself', () => store.confirmedAt() > silent);
    assert.ok(!store.warnings().some((warning) => warning.includes('no Redis')));
  });

  test('that was emptied or replaced while it is used is told of', async (t) => {
    const { port } = await redisServer(t);
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    const own = await ownClient(t, { server: at(port) });
    const told = (): boolean => store.warnings().some((text) => text.startsWith('Redis was emptied'));
    const layout = String(await own.call('GET', 'sallyport:layout'));
    const beat = store.confirmedAt();
    await until('another beat', () => store.confirmedAt() > beat);
    assert.equal(told(), false);
    await own.call('FLUSHALL');
    await until('it says so', told);
    // Another gateway that starts now takes it for a new one.
    const next = await open(t, { server: at(port) });
    t.after(() => next.close());
    const silent = store.confirmedAt();
    await until('another beat', () => store.confirmedAt() > silent);
    assert.equal(told(), true);
    await own.call('SET', 'sallyport:layout', layout);
    await until('what was there is back', () => !told());
  });

  test('that is a replica is refused with the name of its primary', async (t) => {
    const primary = await redisServer(t);
    const { port } = await redisServer(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    await assert.rejects(
      open(t, { server: at(port) }),
      (error) =>
        error instanceof StateError &&
        error.code === 'state-unfit' &&
        error.message.includes(`name its primary (127.0.0.1:${primary.port})`),
    );
  });

  test('that would drop records or forget them, and one whose clock is another, are warned of', async (t) => {
    const { port } = await redisServer(t, { args: ['--maxmemory-policy', 'volatile-ttl'] });
    const store = await open(t, { server: at(port) }, { now: () => Date.now() + 300_000 });
    t.after(() => store.close());
    const [drops = '', forgets = '', clock = '', ...more] = store.warnings();
    assert.match(drops, /revocations too \(maxmemory-policy volatile-ttl\): set maxmemory-policy noeviction/);
    assert.match(forgets, /has forgotten what was revoked last.*: set appendonly yes/);
    assert.match(clock, /the clock here is (299|300) s ahead of that of Redis/);
    assert.deepEqual(more, []);
    assert.throws(() => warningsOf('redis_version:6.0.16\r\n', 0), /6\.0\.16 is too old: 6\.2 or later/);
  });

  test('whose memory is full keeps what it has, acknowledges nothing more, and says why', async (t) => {
    const { port } = await redisServer(t);
    await ask(port, 'CONFIG', 'SET', 'appendonly', 'yes');
    const store = await open(t, { server: at(port) });
    t.after(() => store.close());
    assert.deepEqual(store.warnings(), []);
    await store.put('revocation', 'device:a', { at: 1, by: 'ops' });
    await ask(port, 'CONFIG', 'SET', 'maxmemory', '1');
    await assert.rejects(
      store.put('revocation', 'device:b', { at: 1, by: 'ops' }),
      /Redis refused: OOM .*: its memory is full: raise maxmemory/,
    );
    await assert.rejects(
      open(t, { server: at(port) }),
      /its memory is full: raise maxmemory/,
      'nor at a start',
    );
    assert.equal((await store.get('revocation', 'device:a'))?.by, 'ops');
    await until('it says so', () => store.warnings()[0]?.includes('OOM'));
    const silent = store.confirmedAt();
    await ask(port, 'CONFIG', 'SET', 'maxmemory', '0');
    await until('it works again by itself', () => store.confirmedAt() > silent);
    assert.deepEqual(store.warnings(), []);
  });

  test('that is not there is named', async (t) => {
    await assert.rejects(
      open(t, { server: at(1) }),
      (error) =>
        error instanceof StateError &&
        error.code === 'state-unreachable' &&
        error.message.includes('no Redis at 127.0.0.1:1'),
    );
  });

  test('without the replicas that were asked for acknowledges no write, and speaks for nobody', async (t) => {
    const { port } = await redisServer(t);
    await assert.rejects(
      open(t, { server: at(port), replicas: 1 }),
      (error) => error instanceof StateError && error.code === 'state-unacknowledged',
    );
  });
});
