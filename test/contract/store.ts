// What every store promises, run against each implementation.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Door, Store } from '#gateway/state/store';
import { until } from '#test/story/part';
import { arrivals, holds } from './arrivals.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Moves the store's clock, and that by which it counts what passes. */
  advance(milliseconds: number): void | Promise<void>;
  now(): number;
  close(): Promise<void>;
}

const door = (session: string): Door => ({ session, host: 'wiki.example.com' });

/** `skip`: why it cannot be run here, as `requires` says it. */
export function storeContract(
  name: string,
  open: () => Promise<StoreUnderTest>,
  skip: false | string = false,
): void {
  describe(`${name} keeps a store's promises`, { skip }, () => {
    let under: StoreUnderTest;
    before(async () => {
      under = await open();
    });
    after(() => under?.close());

    test('gives back what was put, by kind and key', async () => {
      await under.store.put('door', 'a', door('s1'));
      assert.deepEqual(await under.store.get('door', 'a'), door('s1'));
      assert.equal(await under.store.get('handoff', 'a'), undefined);
      assert.equal(await under.store.get('door', 'b'), undefined);
    });

    test('a later put replaces the earlier one', async () => {
      await under.store.put('door', 'c', door('s1'));
      await under.store.put('door', 'c', door('s2'));
      assert.deepEqual(await under.store.get('door', 'c'), door('s2'));
    });

    test('an expired record is as good as absent', async () => {
      await under.store.put('door', 'd', door('s1'), under.now() + 1000);
      await under.advance(999);
      assert.deepEqual(await under.store.get('door', 'd'), door('s1'));
      await under.advance(1);
      assert.equal(await under.store.get('door', 'd'), undefined);
      assert.equal(await under.store.take('door', 'd'), undefined);
      assert.equal(await under.store.replace('door', 'd', door('s2')), false);
      assert.ok(!(await under.store.list('door')).some(([key]) => key === 'd'));
    });

    test('of what comes together lets the limit through, each key by itself', async () => {
      const ask = (key: string): Promise<number> => under.store.admit(key, 20, 60_000);
      const waits = await Promise.all(Array.from({ length: 50 }, () => ask('k')));
      assert.equal(waits.filter((wait) => wait === 0).length, 20);
      assert.ok(waits.every((wait) => Number.isInteger(wait) && wait >= 0 && wait <= 60_000));
      assert.equal(await ask('l'), 0);
      assert.ok((await ask('k')) > 0);
      assert.equal(await under.store.admit('k', 21, 60_000), 0, 'another limit, the same count');
    });

    test('lets no more than the limit through in any period, whenever they come', async () => {
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(arrivals, async (asked) => {
          runs += 1;
          const key = `arrivals-${runs}`;
          const began = performance.now();
          await holds(asked, {
            admit: (limit, period) => under.store.admit(key, limit, period),
            advance: (milliseconds) => under.advance(milliseconds),
            now: () => under.now(),
            drift: () => Math.ceil(performance.now() - began) + 2,
          });
        }),
        { numRuns: 25, seed: Number(process.env['SALLYPORT_SEED'] ?? 7) },
      );
    });

    test('does not keep out whoever asks on', async () => {
      const ask = (): Promise<number> => under.store.admit('asks-on', 1, 3_600_000);
      assert.equal(await ask(), 0);
      for (let i = 0; i < 4; i += 1) {
        await under.advance(720_000);
        assert.ok((await ask()) > 0);
      }
      await under.advance(720_000);
      assert.equal(await ask(), 0);
    });

    test('of fifty takers exactly one gets the record', async () => {
      await under.store.put('enrolment', 'e', { name: 'berlin-1', createdBy: 'admin' });
      const taken = await Promise.all(Array.from({ length: 50 }, () => under.store.take('enrolment', 'e')));
      assert.equal(taken.filter((record) => record !== undefined).length, 1);
      assert.equal(await under.store.get('enrolment', 'e'), undefined);
    });

    test('of fifty creators exactly one writes, and nobody while its record lives', async () => {
      const { store } = under;
      const created = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.create('door', 'i', door(`s${i}`), under.now() + 1000)),
      );
      assert.equal(created.filter(Boolean).length, 1);
      assert.deepEqual(await store.get('door', 'i'), door(`s${created.indexOf(true)}`));
      await under.advance(999);
      assert.equal(await store.create('door', 'i', door('late')), false);
      await under.advance(1);
      assert.equal(await store.create('door', 'i', door('next')), true);
      assert.deepEqual(await store.get('door', 'i'), door('next'));
    });

    test('replace never brings back what was removed', async () => {
      await under.store.put('door', 'f', door('s1'));
      assert.equal(await under.store.replace('door', 'f', door('s2')), true);
      assert.deepEqual(await under.store.get('door', 'f'), door('s2'));
      assert.equal(await under.store.remove('door', 'f'), true);
      assert.equal(await under.store.replace('door', 'f', door('s3')), false);
      assert.equal(await under.store.get('door', 'f'), undefined);
      assert.equal(await under.store.remove('door', 'f'), false);
    });

    test('lists the live records of one kind', async () => {
      await under.store.put('connector', 'x', {
        enrolledAt: 1,
        certificates: [{ serial: '01', notAfter: 9 }],
        revoked: false,
      });
      await under.store.put('connector', 'y', { enrolledAt: 2, certificates: [], revoked: true });
      const expiresAt = under.now() + 5000;
      await under.store.put('connector', 'z', { enrolledAt: 3, certificates: [], revoked: false }, expiresAt);
      const forever = Number.POSITIVE_INFINITY;
      const certificates = [{ serial: '01', notAfter: 9 }];
      assert.deepEqual(await under.store.list('connector'), [
        ['x', { enrolledAt: 1, certificates, revoked: false }, forever],
        ['y', { enrolledAt: 2, certificates: [], revoked: true }, forever],
        ['z', { enrolledAt: 3, certificates: [], revoked: false }, expiresAt],
      ]);
      await under.store.remove('connector', 'y');
      assert.deepEqual(
        (await under.store.list('connector')).map(([key]) => key),
        ['x', 'z'],
      );
    });

    test('of changes at the same moment none is lost', async () => {
      const serials = Array.from({ length: 10 }, (_, i) => `0${i}`);
      await Promise.all(
        serials.map((serial) =>
          under.store.update('connector', 'many', (current) => ({
            value: {
              enrolledAt: 1,
              certificates: [...(current?.certificates ?? []), { serial, notAfter: 9 }],
              revoked: false,
            },
          })),
        ),
      );
      const kept = (await under.store.get('connector', 'many'))?.certificates.map(({ serial }) => serial);
      assert.deepEqual(kept?.sort(), serials);
    });

    test('what is published is heard by all who subscribed before, and by nobody on another channel', async () => {
      const { store } = under;
      const heard: string[] = [];
      const missed = (): void => assert.fail('nothing was missed');
      await store.subscribe('a', (message) => heard.push(`1 ${message}`), missed);
      await store.subscribe('a', (message) => heard.push(`2 ${message}`), missed);
      await store.subscribe('b', (message) => heard.push(`3 ${message}`), missed);
      await store.publish('a', 'Ω "one"');
      await until('both heard', () => heard.length >= 2);
      assert.deepEqual(heard.sort(), ['1 Ω "one"', '2 Ω "one"']);
    });

    test('it knows that it speaks for the installation now', () => {
      assert.ok(performance.now() - under.store.confirmedAt() < 5_000);
    });

    test('a record that was read is read as it is now, whatever was done to it since', async () => {
      const { store } = under;
      await store.put('door', 'g', door('s1'));
      await store.get('door', 'g');
      await store.put('door', 'g', door('s2'));
      assert.deepEqual(await store.get('door', 'g'), door('s2'));
      await store.replace('door', 'g', door('s3'), under.now() + 1000);
      assert.deepEqual(await store.get('door', 'g'), door('s3'));
      await under.advance(1000);
      assert.equal(await store.get('door', 'g'), undefined);
      await store.put('door', 'g', door('s4'));
      await store.get('door', 'g');
      await store.take('door', 'g');
      assert.equal(await store.get('door', 'g'), undefined);
    });

    test('what one reader does to a record, no other sees', async () => {
      await under.store.put('door', 'h', door('s1'));
      const read = await under.store.get('door', 'h');
      assert.ok(read !== undefined);
      try {
        (read as { session: string }).session = 's2';
      } catch {
        // Frozen: just as well.
      }
      assert.deepEqual(await under.store.get('door', 'h'), door('s1'));
    });

    test('keys and values of any characters come back whole', async () => {
      const odd = 'Ω\u0000\u2028"\'; DROP TABLE record; --';
      await under.store.put('door', odd, door(odd));
      assert.deepEqual(await under.store.get('door', odd), door(odd));
    });
  });
}
