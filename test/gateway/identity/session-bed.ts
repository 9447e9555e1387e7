// A store and a clock for tests of sessions, and what they were told of sessions that ended.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach } from 'node:test';
import type { LiveSession } from '#gateway/identity/live-session';
import { type SessionEnd, type SessionLimits, Sessions } from '#gateway/identity/sessions';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';

export const HOUR = 3_600_000;
export const LIMITS: SessionLimits = { idle: HOUR, absolute: 12 * HOUR };
/** Epoch milliseconds; tests move it. */
export const clock = { time: 1_000_000 };
export const ended: [string, SessionEnd][] = [];
const directory = mkdtempSync(join(tmpdir(), 'sallyport-sessions-'));
export const store: EmbeddedStore = openEmbeddedStore(directory, () => clock.time);
const login = { provider: 'corp', at: 1_000_000 } as const;
let people = 0;

// Somebody else in each test: the store is the same one.
beforeEach(() => {
  people += 1;
  ended.length = 0;
});
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

export const gateway = (limits: SessionLimits = LIMITS): Sessions =>
  new Sessions(
    store,
    limits,
    () => clock.time,
    async ({ id }, why) => {
      ended.push([id, why]);
    },
  );
export const subject = (): LiveSession['subject'] => ({
  kind: 'user',
  id: `https://id#${people}`,
  groups: [],
  roles: [],
});
export const start = (sessions: Sessions, providerSession?: string): Promise<LiveSession> =>
  sessions.start(subject(), login, '192.0.2.1', providerSession);
/** Lets what was not waited for happen. */
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
