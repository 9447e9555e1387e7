// A gateway's part that takes up changes, for tests: in a state of its own, with what it records.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { AcceptedChanges } from '#gateway/change/accepted';
import { Changes } from '#gateway/change/changes';
import type { GatewayConfig } from '#gateway/config';
import type { SallyportEvent } from '#siem/event';
import type { ChangeBed } from './bed.ts';

export const NOW: number = Date.UTC(2026, 2, 4);
export const BY = { kind: 'operator', id: 'ada' } as const;

export interface TakingGateway {
  readonly events: SallyportEvent[];
  /** Whether nothing can be recorded, and how often nothing could. */
  readonly outbox: { full: boolean; refused: number };
  open(): Promise<Changes>;
}

/** Makes temporary directories, which are gone after the suite. */
export function places(): () => string {
  const made: string[] = [];
  after(() => {
    for (const one of made) rmSync(one, { recursive: true, force: true });
  });
  return () => {
    const one = mkdtempSync(join(tmpdir(), 'sallyport-changes-'));
    made.push(one);
    return one;
  };
}

/** `logged`: the change that its log says was accepted last. */
export function takingGateway(
  from: ChangeBed,
  state: string,
  logged?: string,
  more: Partial<GatewayConfig> = {},
): TakingGateway {
  const { file, config } = from.config;
  const events: SallyportEvent[] = [];
  const outbox = { full: false, refused: 0 };
  const recorder = {
    record: async (event: SallyportEvent) => {
      if (outbox.full) {
        outbox.refused += 1;
        throw new Error('the outbox is full');
      }
      events.push(event);
      return '';
    },
  };
  const configuration = { file, text: readFileSync(file, 'utf8') };
  const open = () =>
    Changes.open({
      ...{ config: { ...config, ...more, state }, configuration, now: () => NOW },
      accepted: AcceptedChanges.open(state, logged),
      recorder: recorder as never,
    });
  return { events, outbox, open };
}
