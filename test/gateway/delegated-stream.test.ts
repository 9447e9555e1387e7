// A stream that a service has open in somebody's name is open for both: whichever of them may no longer, it ends, once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rulings } from '#gateway/access/ruling';
import { OpenExchanges } from '#gateway/access/streams';
import { type Allowed, Carriage, type CarriageParts } from '#gateway/carriage';
import type { Exchange } from '#gateway/edge/exchange';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Relay, RelayResult } from '#gateway/tunnel/relay';
import type { AccessRequest } from '#policy/input';
import type { Policy } from '#policy/load';
import type { StreamClosed } from '#siem/event';

const AT = Date.parse('2026-03-04T10:00:00Z');
const sessionOf = (kind: 'user' | 'service'): LiveSession => ({
  ...{ id: `session-of-${kind}`, createdAt: AT, lastSeenAt: AT, expiresAt: AT + 3_600_000 },
  ...{ clientAddress: '192.0.2.1', login: { provider: 'corp', at: AT, amr: [] } },
  subject: { kind, id: kind, groups: [], roles: [] },
});

async function opened() {
  const happens = { denied: '', revoked: '', gone: '' };
  const policy = {
    ...{ hash: 'hash', prepare: () => ({}), asksConnector: () => false },
    decide: ({ subject }: AccessRequest) =>
      subject.kind === happens.denied
        ? { verdict: 'deny', reason: 'no-rule-matched' }
        : { verdict: 'allow', reason: 'allowed' },
  } as unknown as Policy;
  const open = new OpenExchanges(
    new Rulings(
      () => policy,
      ({ subject }) => subject.id === happens.revoked,
    ),
    async ({ subject }) => subject.id !== happens.gone,
    () => AT,
    async () => ({}),
  );
  const { promise: done, resolve } = Promise.withResolvers<RelayResult>();
  let closes = 0;
  const relay: Relay = {
    done,
    carrier: undefined,
    close: () => {
      closes += 1;
      resolve({ outcome: 'closed', headSent: true, status: 200, bytesIn: 0, bytesOut: 0 });
    },
  };
  const recorded: StreamClosed[] = [];
  const carriage = new Carriage({
    open,
    tunnels: { relay: () => relay },
    recorder: { record: async (event: StreamClosed) => void recorded.push(event) },
    now: () => AT,
  } as unknown as CarriageParts);
  const party = (kind: 'user' | 'service') => {
    const session = sessionOf(kind);
    const input = { subject: session.subject, target: { app: 'storage' }, network: { address: '::1' } };
    const ruling = { policy: 'hash', decision: { verdict: 'allow', reason: 'allowed' } };
    return { session, input: input as unknown as AccessRequest, ruling };
  };
  const carried = carriage.carry(
    { request: { headers: {}, rawHeaders: [], socket: {} }, response: {} } as unknown as Exchange,
    {
      ...{ ...party('user'), also: [party('service')], id: 'decision' },
      app: { id: 'storage', protocol: 'http', assertion: { headers: [] } },
      clean: { host: 'storage.test', method: 'GET', path: '/events', query: '' },
      ...{ trace: { id: 't', parent: 'p' }, client: { address: '::1' } },
    } as unknown as Allowed,
  );
  return { happens, open, carried, recorded, closes: () => closes };
}
type Opened = Awaited<ReturnType<typeof opened>>;

for (const party of ['user', 'service'] as const) {
  const ways: readonly (readonly [string, string, (bed: Opened) => unknown])[] = [
    ['session is told to have ended', 'session-ended', ({ open }) => open.endSession(`session-of-${party}`)],
    [
      'revocation is told',
      'revoked',
      ({ open }) => open.end(({ session }) => session.subject.id === party, 'revoked'),
    ],
    [
      'session ended and nobody told',
      'session-ended',
      ({ open, happens }) => {
        happens.gone = party;
        return open.review('no-longer-allowed');
      },
    ],
    [
      'revocation nobody told of',
      'revoked',
      ({ open, happens }) => {
        happens.revoked = party;
        return open.review('no-longer-allowed');
      },
    ],
    [
      'access is taken away by policy',
      'policy-changed',
      ({ open, happens }) => {
        happens.denied = party;
        return open.review('policy-changed');
      },
    ],
  ];
  for (const [what, reason, take] of ways) {
    test(`the ${party}’s: ${what}`, async () => {
      const bed = await opened();
      await bed.open.review('no-longer-allowed');
      assert.deepEqual([bed.open.size, bed.closes()], [2, 0]);
      await take(bed);
      await bed.carried;
      await bed.open.review('no-longer-allowed');
      assert.deepEqual([bed.open.size, bed.closes()], [0, 1]);
      assert.deepEqual(
        bed.recorded.map((event) => [event.reason, event.enforceMs]),
        [[reason, 0]],
      );
    });
  }
}
