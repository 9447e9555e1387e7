// The part of the gateway's configuration that says how many processes share the work on one machine.
import { z } from 'zod';
import type { StateConfig } from '#gateway/state/config';

export interface WorkersConfig {
  readonly count: number;
  /** Worker 1 is reached here by other workers and gateways, worker 2 at the next port, and so on. */
  readonly relay: number;
}

export const MOST_WORKERS = 64;

export const workersSchema: z.ZodType<WorkersConfig> = z
  .strictObject({
    count: z.int().min(1).max(MOST_WORKERS).default(1).describe('Processes that serve.'),
    relay: z
      .int()
      .min(1)
      .max(65_535 - MOST_WORKERS)
      .default(8450)
      .describe('Port of worker 1 for other workers and gateways; those after it are for the other workers.'),
  })
  .describe('Processes on this machine that share the listeners. More than one need a state in Redis.');

/** A DNS label has no more. */
const LONGEST_NAME = 63;

/** Why a gateway cannot be so many processes; undefined if it can. */
export function workersProblem(
  gateway: string,
  state: StateConfig['kind'],
  count: number,
): string | undefined {
  if (count === 1) return undefined;
  if (state === 'embedded') {
    return `${count} workers need a state that processes can share, and the embedded one has one owner: change \`state\` to \`kind: redis\` (docs/state.md), or run one worker`;
  }
  const name = workerName(gateway, count);
  return name.length > LONGEST_NAME
    ? `the name of a worker, ${name}, would be longer than ${LONGEST_NAME} characters: give the gateway a shorter name`
    : undefined;
}

/** What a worker is called. */
export function workerName(name: string, number: number): string {
  return `${name}-${number}`;
}

/** Whether a worker of `gateway` is called so. */
export function isWorkerOf(gateway: string, name: string): boolean {
  return name.startsWith(`${gateway}-`) && /^\d+$/.test(name.slice(gateway.length + 1));
}
