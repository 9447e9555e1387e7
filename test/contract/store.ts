// What every store promises, run against each implementation.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Door, Store } from '#gateway/state/store';

export interface StoreUnderTest {
  readonly store: Store;
  /** Moves the store's clock. */
  advance(milliseconds: number): void;
  now(): number;
  close(): Promise<void>;
}

const door = (session: string): Door => ({ session, host: 'wiki.example.com' });

export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps a store's promises`, () => {
    let under: StoreUnderTest;
    before(async () => {
      under = await open();
    });
    after(() => under.close());

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
      under.advance(999);
      assert.deepEqual(await under.store.get('door', 'd'), door('s1'));
      under.advance(1);
      assert.equal(await under.store.get('door', 'd'), undefined);
      assert.equal(await under.store.take('door', 'd'), undefined);
      assert.equal(await under.store.replace('door', 'd', door('s2')), false);
      assert.ok(!(await under.store.list('door')).some(([key]) => key === 'd'));
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
      under.advance(999);
      assert.equal(await store.create('door', 'i', door('late')), false);
      under.advance(1);
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
      assert.deepEqual(await under.store.list('connector'), [
        ['x', { enrolledAt: 1, certificates: [{ serial: '01', notAfter: 9 }], revoked: false }],
        ['y', { enrolledAt: 2, certificates: [], revoked: true }],
      ]);
    });

    test('a record that was read is read as it is now, whatever was done to it since', async () => {
      const { store } = under;
      await store.put('door', 'g', door('s1'));
      await store.get('door', 'g');
      await store.put('door', 'g', door('s2'));
      assert.deepEqual(await store.get('door', 'g'), door('s2'));
      await store.replace('door', 'g', door('s3'), under.now() + 1000);
      assert.deepEqual(await store.get('door', 'g'), door('s3'));
      under.advance(1000);
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
