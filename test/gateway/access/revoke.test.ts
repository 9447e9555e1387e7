// Taking access away: what is open is closed, and whoever asked is told how much that was.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Revocations } from '#gateway/access/revocations';
import { Revoke } from '#gateway/access/revoke';
import type { Rulings } from '#gateway/access/ruling';
import { type Machines, type OpenExchange, OpenExchanges } from '#gateway/access/streams';
import type { LiveSession } from '#gateway/identity/live-session';
import { Sessions } from '#gateway/identity/sessions';
import type { EnrolmentDesk } from '#gateway/pki/enrolment';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Store } from '#gateway/state/store';
import type { TunnelPeer } from '#gateway/tunnel/relay';
import type { AccessRequest } from '#policy/input';
import type { SallyportEvent } from '#siem/event';
import type { Recorder } from '#siem/recorder';
import { directoryFor } from '../../siem/outbox/documents.ts';

const ADMIN = { kind: 'operator', id: 'root' } as const;
const subject = (sub: string): LiveSession['subject'] => ({
  kind: 'user',
  id: `https://id.example.com#${sub}`,
  groups: [],
  roles: [],
});

/** The machines behind connectors, by the keys of their certificates. */
const MACHINES: Readonly<Record<string, string>> = { 'key-1': 'machine-1', 'key-2': 'machine-2' };

async function bed(t: TestContext) {
  const store = openEmbeddedStore(directoryFor(t), Date.now);
  const events: SallyportEvent[] = [];
  const closed: string[] = [];
  const reasons = new Set<string>();
  const open: OpenExchanges = new OpenExchanges(
    {} as Rulings,
    async () => true,
    Date.now,
    async () => ({}),
  );
  const limits = { idle: 3_600_000, absolute: 36_000_000 };
  const sessions = new Sessions(store, limits, Date.now, async ({ id }) => void open.endSession(id));
  const revocations = new Revocations(store, Date.now);
  const revoke = new Revoke({
    revocations,
    sessions,
    open,
    desk: { revoke: async (id: string) => id.startsWith('rack-') } as unknown as EnrolmentDesk,
    tunnels: { disconnect: () => 2 },
    machine: (key) => MACHINES[key],
    recorder: { record: async (event: SallyportEvent) => void events.push(event) } as unknown as Recorder,
    longestSession: 36_000_000,
    now: Date.now,
  });
  await revoke.listen();
  t.after(async () => {
    revocations.stop();
    await store.close();
  });
  return {
    revoke,
    revocations,
    events,
    closed,
    reasons,
    /** `machines`: those that the streams were decided with; `carrier`: whose tunnel carries them. */
    async person(
      sub: string,
      streams: number,
      machines: Machines = {},
      carrier?: Pick<TunnelPeer, 'connector' | 'key'>,
    ): Promise<LiveSession> {
      const session = await sessions.start(
        subject(sub),
        { provider: 'corp', at: Date.now(), amr: [] },
        '192.0.2.1',
      );
      for (let i = 0; i < streams; i++) {
        const close = (reason: string): void => {
          closed.push(sub);
          reasons.add(reason);
        };
        open.add({ session, input: machines, carrier, close } as unknown as OpenExchange);
      }
      return session;
    },
  };
}

test('revoking a person closes all that is theirs and says how much, also for each session', async (t) => {
  const { revoke, person, events, closed } = await bed(t);
  const laptop = await person('ben', 3);
  const phone = await person('ben', 2);
  await person('ada', 1);
  const revoked = await revoke.revoke({ kind: 'person', id: subject('ben').id }, ADMIN, 'left');
  assert.deepEqual(revoked, { sessions: 2, streams: 5, tunnels: 0 });
  assert.deepEqual(closed, Array(5).fill('ben'));
  const sessions = events.filter((event) => event.kind === 'session-revoked');
  const counts = new Map(sessions.map(({ session, streamsClosed }) => [session, streamsClosed]));
  assert.deepEqual(counts, new Map([...counts, [laptop.id, 3], [phone.id, 2]]));
  assert.equal(counts.size, 2);
});

test('revoking a session closes what it has open as revoked, and nothing else', async (t) => {
  const { revoke, person, events, closed, reasons } = await bed(t);
  const laptop = await person('ben', 2);
  await person('ben', 1);
  const revoked = await revoke.revoke({ kind: 'session', id: laptop.id }, ADMIN, 'stolen');
  assert.deepEqual(revoked, { sessions: 1, streams: 2, tunnels: 0 });
  assert.deepEqual([closed, reasons], [['ben', 'ben'], new Set(['revoked'])]);
  const told = events.map(
    (event) => event.kind === 'session-revoked' && [event.session, event.streamsClosed],
  );
  assert.deepEqual(told, [[laptop.id, 2]]);
});

test('revoking a device closes what it has open, and leaves the sessions of its person', async (t) => {
  const { revoke, person, closed } = await bed(t);
  await person('ben', 2, { device: { id: 'laptop-1' } });
  await person('ben', 1);
  const revoked = await revoke.revoke({ kind: 'device', id: 'laptop-1' }, ADMIN, 'lost');
  assert.deepEqual(revoked, { sessions: 0, streams: 2, tunnels: 0 });
  assert.equal(closed.length, 2);
});

test('revoking the machine of a connector closes what goes through it, and lets nothing through any more', async (t) => {
  const { revoke, revocations, person, closed, reasons } = await bed(t);
  const connector = { name: 'rack-1', device: 'machine-1' };
  const session = await person('ben', 2, { connector }, { connector: 'rack-1', key: 'key-1' });
  // Decided with both, and told of with the first: what carries it is what counts.
  await person('ada', 1, { connector }, { connector: 'rack-2', key: 'key-2' });
  await person('cleo', 1, { connector: { name: 'rack-2' } }, { connector: 'rack-1', key: 'key-1' });
  // Of an app that asks nothing of its connector.
  await person('dan', 1, {}, { connector: 'rack-1', key: 'key-1' });
  const asks = (device: string): boolean =>
    revocations.covers(session, { connector: { ...connector, device } } as AccessRequest);
  assert.equal(asks('machine-1'), false);
  const revoked = await revoke.revoke({ kind: 'device', id: 'machine-1' }, ADMIN, 'stolen');
  assert.deepEqual(closed.toSorted(), ['ben', 'ben', 'cleo']);
  assert.deepEqual(reasons, new Set(['revoked']));
  assert.deepEqual(revoked, { sessions: 0, streams: 3, tunnels: 0 });
  assert.deepEqual(['machine-1', 'machine-2'].map(asks), [true, false]);
});

test('revoking a connector says how much went through it, which ends with its tunnels', async (t) => {
  const { revoke, person, events } = await bed(t);
  await person('ben', 2, {}, { connector: 'rack-1', key: 'key-1' });
  await person('ada', 1, {}, { connector: 'rack-2', key: 'key-2' });
  await person('cleo', 1);
  const revoked = await revoke.revoke({ kind: 'connector', id: 'rack-1' }, ADMIN, 'stolen');
  assert.deepEqual(revoked, { sessions: 0, streams: 2, tunnels: 2 });
  assert.deepEqual(
    events.map((event) => event.kind === 'access-revoked' && [event.target.id, event.streams]),
    [['rack-1', 2]],
  );
  assert.equal(await revoke.revoke({ kind: 'connector', id: 'nobody' }, ADMIN), undefined);
});

test('a look at the store that began before a revocation does not bring the one before it back', async (t) => {
  const store = openEmbeddedStore(directoryFor(t), Date.now);
  const looks: { answer(): void }[] = [];
  let held = false;
  const slow = new Proxy(store, {
    get: (target, name: keyof Store) => {
      const method = (target[name] as (...args: unknown[]) => unknown).bind(target);
      if (name !== 'list') return method;
      return async (...args: unknown[]) => {
        const read = await method(...args);
        if (held) await new Promise<void>((answer) => looks.push({ answer }));
        return read;
      };
    },
  }) as Store;
  const clock = { time: 1_000 };
  const revocations = new Revocations(slow, () => clock.time);
  await revocations.listen(() => undefined);
  t.after(async () => {
    revocations.stop();
    await store.close();
  });
  const target = { kind: 'person', id: subject('ben').id } as const;
  await revocations.add(target, 'root', 'left');
  clock.time = 2_000;
  const back = { subject: subject('ben'), createdAt: 1_500 } as LiveSession;
  assert.equal(revocations.coversSession(back), false);
  held = true;
  const looking = revocations.refresh();
  while (looks.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await revocations.add(target, 'root', 'left again');
  for (const look of looks) look.answer();
  await looking;
  assert.equal(revocations.coversSession(back), true);
});
