// Keeps a machine's posture fresh for whoever vouches with it: proves it anew before the last result runs out, and at
// once when a PCR changes, or what the proof is for.
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttestationReply, QUOTED_PCRS } from '../wire/evidence.ts';
import { withTpm } from './tpm/keys.ts';

/** How often the PCRs are looked at, in milliseconds: what a change of them no longer allows ends this soon. */
const WATCH_INTERVAL = 1_000;
/** After a failure it is tried again this much later, and twice as much each time, up to the last. */
const FIRST_RETRY = 2_000;
const LAST_RETRY = 60_000;
/** A result is renewed when this part of its life has passed. */
const RENEW_AT = 2 / 3;

export interface Freshening {
  /** As given to `openTpm`. */
  readonly tpm: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds; `performance.now` if absent. */
  readonly clock?: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** Proves the machine's state once. */
  attest(): Promise<AttestationReply>;
  /** What a proof is made for, such as a sign-in: with another one it is made anew. */
  occasion(): unknown;
  onResult(result: AttestationReply): void;
  onFailure(error: Error): void;
}

/** Resolves once it is stopped. `expiresAt` of a result is by this machine's clock. */
export async function keepFresh(options: Freshening, stop: AbortSignal): Promise<void> {
  const { tpm, now, random, clock = () => performance.now() } = options;
  let retry = FIRST_RETRY;
  while (!stop.aborted) {
    const occasion = options.occasion();
    let pause: number;
    let seen: string | undefined;
    try {
      // Before the quote: a change while it is made is seen after it.
      seen = await pcrsOf(tpm);
      const result = await options.attest();
      options.onResult(result);
      retry = FIRST_RETRY;
      // What is not well may be mended elsewhere: an admin approves the machine, or a baseline.
      const life = (result.expiresAt - now()) * RENEW_AT;
      const wait = result.status === 'affirming' ? life : Math.min(life, LAST_RETRY);
      pause = Math.max(WATCH_INTERVAL, wait * (0.9 + random() * 0.1));
    } catch (error) {
      if (stop.aborted) return;
      options.onFailure(error as Error);
      pause = retry * (0.5 + random() / 2);
      retry = Math.min(LAST_RETRY, retry * 2);
    }
    // By both clocks: one stands still while the machine sleeps, and the other one may be set back.
    const until = [now() + pause, clock() + pause] as const;
    const left = (): number => Math.min(until[0] - now(), until[1] - clock());
    while (!stop.aborted && left() > 0) {
      await sleep(Math.max(1, Math.min(WATCH_INTERVAL, left())), undefined, { signal: stop }).catch(
        () => undefined,
      );
      if (options.occasion() !== occasion) break;
      if (seen !== undefined && (await pcrsOf(tpm).catch(() => seen)) !== seen) break;
    }
  }
}

async function pcrsOf(tpm: string): Promise<string> {
  return Buffer.concat(await withTpm(tpm, (link) => link.pcrRead(QUOTED_PCRS))).toString('hex');
}
