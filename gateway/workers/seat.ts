// What a process that is one of several workers is given by the process that started it, and the way it is told.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigurationFile } from '#gateway/change/changes';
import type { GatewayConfig } from '#gateway/config';
import type { ListenAddress } from '#gateway/config-values';
import { TicketKeys } from '#gateway/edge/ticket-keys';

export interface Seat {
  /** The same at every worker, and turned at the same time. */
  readonly tickets: TicketKeys;
  /** Where other workers and gateways reach this one and no other. */
  readonly relay: ListenAddress;
  /** Of the configuration that was read, of which each worker has its part. */
  readonly configHash: string;
  /**
   * Who could still ask here has been answered. Waits until that is so at all workers, since one without tunnels asks by
   * this one's; for `graceMs` at most. Returns what is left of it, in milliseconds.
   */
  allAnswered(graceMs: number): Promise<number>;
}

/** Set for a worker: its number, from 1. */
export const WORKER_VARIABLE = 'SALLYPORT_WORKER';

/** The first thing a worker hears. */
export interface SeatMessage {
  readonly kind: 'seat';
  readonly config: GatewayConfig;
  readonly configuration: ConfigurationFile;
  readonly relay: ListenAddress;
  readonly configHash: string;
  readonly seed: Uint8Array;
}

export interface TicketsMessage {
  readonly kind: 'tickets';
  readonly seed: Uint8Array;
}

/** From a worker that stops: nobody is left there who could ask. To each: nobody is left at any. */
export interface AnsweredMessage {
  readonly kind: 'answered';
}

/** What a worker says once it serves. */
export interface ReadyMessage {
  readonly kind: 'ready';
  readonly health: AddressInfo;
  readonly developmentCa: string | undefined;
}

/** The seat of this process, which is a worker, and its part of the configuration. */
export async function takeSeat(): Promise<{
  readonly seat: Seat;
  readonly config: GatewayConfig;
  readonly configuration: ConfigurationFile;
}> {
  // Whoever started it is gone, and with it whoever would stop it.
  process.once('disconnect', () => process.exit(1));
  const [{ config, configuration, relay, configHash, seed }] = (await once(process, 'message')) as [
    SeatMessage,
  ];
  const tickets = new TicketKeys(seed);
  const all = Promise.withResolvers<void>();
  process.on('message', (message: TicketsMessage | AnsweredMessage) => {
    if (message.kind === 'tickets') tickets.turn(message.seed);
    else all.resolve();
  });
  const allAnswered = async (graceMs: number): Promise<number> => {
    const until = performance.now() + graceMs;
    process.send?.({ kind: 'answered' } satisfies AnsweredMessage);
    await Promise.race([all.promise, sleep(graceMs)]);
    return Math.max(0, until - performance.now());
  };
  return { seat: { tickets, relay, configHash, allAnswered }, config, configuration };
}

export function sayReady(message: Omit<ReadyMessage, 'kind'>): void {
  process.send?.({ kind: 'ready', ...message } satisfies ReadyMessage);
}
