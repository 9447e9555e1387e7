// A signer with a store of its own and a clock that tests set, and what it signs when nothing else is said.
import { pino } from 'pino';
import { type AssertionContext, AssertionSigner } from '#gateway/pki/assertion';
import { KeyRing } from '#gateway/pki/key-ring';
import type { Store } from '#gateway/state/store';

export const ISSUER = 'https://access.example.com';
export const DAY = 86_400_000;
export const ROTATE: number = 30 * DAY;

export class Clock {
  time: number = Date.parse('2026-03-04T10:00:00Z');
  readonly now = (): number => this.time;
}

export const CONTEXT: AssertionContext = {
  session: 'session-1',
  subject: {
    kind: 'user',
    id: 'https://id#1',
    name: 'Ada',
    email: 'ada@example.com',
    groups: ['corp:eng', 'corp:staff'],
    roles: [],
  },
  login: { provider: 'corp', at: 1_000, amr: ['pwd', 'otp'] },
  app: 'wiki',
  policy: 'hash-1',
  address: '192.0.2.7',
  wishes: { bind: 'session' },
  request: { method: 'GET', url: 'https://wiki.example.com/a', decision: 'decision-1', trace: 'trace-1' },
};

export function openRing(store: Store, { now }: Clock): Promise<KeyRing> {
  return KeyRing.open(store, { rotate: ROTATE, now, log: pino({ level: 'silent' }) });
}

export async function signerOf(store: Store, clock: Clock): Promise<AssertionSigner> {
  return new AssertionSigner(
    await openRing(store, clock),
    ISSUER,
    'spiffe://test.internal/gateway/edge-1',
    clock.now,
  );
}
