// Two sessions joined by a line in memory, each with a probe for every stream.
import assert from 'node:assert/strict';
import { encodeRequest } from '#connectors/wire/head';
import type { Hello, Welcome } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, type Limits } from '#connectors/wire/limits';
import { openPrefix } from '#connectors/wire/open';
import { Session } from '#connectors/wire/session';
import type { SessionOptions } from '#connectors/wire/session-options';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { type End, pair } from './pair.ts';

export const HELLO: Hello = {
  versions: [1],
  window: DEFAULT_LIMITS.window,
  streams: 100,
  apps: ['app'],
  instance: 'i',
  software: 't',
};
const WELCOME: Omit<Welcome, 'version'> = {
  window: DEFAULT_LIMITS.window,
  streams: 100,
  instance: 'g',
  software: 't',
};

/** A handler that keeps what it saw, and consumes only what it is told to. */
export class Probe implements StreamHandler {
  readonly events: string[] = [];
  bytes = 0;
  resumed = 0;
  stream: Stream | undefined;
  consuming = true;
  onHead(head: { status: number }, fin: boolean): void {
    this.events.push(`head ${head.status}${fin ? ' fin' : ''}`);
  }
  onInfo(head: { status: number }): void {
    this.events.push(`info ${head.status}`);
  }
  onData(piece: Buffer, fin: boolean): void {
    this.bytes += piece.length;
    if (fin) this.events.push('fin');
    if (this.consuming) this.stream?.consume(piece.length);
  }
  onTrailers(trailers: string[]): void {
    this.events.push(`trailers ${trailers.join(':')}`);
  }
  onReset(code: string, detail: string): void {
    this.events.push(`reset ${code} ${detail}`.trim());
  }
  onWritable(): void {
    this.resumed += 1;
  }
  onIdle(): void {
    this.events.push('idle');
  }
}

export interface Side {
  readonly session: Session;
  readonly end: End;
  closed: string | undefined;
  goaway: number;
  readonly accepted: Probe[];
}

/** `serve` takes the place of probes for streams that the peer opens. */
export function side(
  end: End,
  gateway: boolean,
  limits: Limits,
  clock: () => number,
  serve?: SessionOptions['onOpen'],
): Side {
  const accepted: Probe[] = [];
  const self: Side = Object.assign({ end, closed: undefined, goaway: 0, accepted } as unknown as Side, {
    session: new Session({
      ...{ transport: end, limits, budget: { held: 0 }, clock },
      greeting: gateway
        ? { welcome: { ...WELCOME, window: limits.window } }
        : { hello: { ...HELLO, window: limits.window } },
      onReady() {},
      onOpen(stream, request, fin) {
        if (serve !== undefined) return serve(stream, request, fin);
        const probe = new Probe();
        probe.stream = stream;
        accepted.push(probe);
        return probe;
      },
      onGoaway() {
        self.goaway += 1;
      },
      onClose(code, why) {
        self.closed = `${code}: ${why}`;
      },
    }),
  });
  return self;
}

/** Lets everything that is on its way arrive. */
export async function settle(turns = 8): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(setImmediate);
}

export async function joined(
  limits: Partial<Limits> = {},
  clock: () => number = () => 0,
  serve?: SessionOptions['onOpen'],
): Promise<{ gateway: Side; connector: Side }> {
  const [left, right] = pair();
  const all = { ...DEFAULT_LIMITS, ...limits };
  const gateway = side(left, true, all, clock);
  const connector = side(right, false, all, clock, serve);
  await settle();
  assert.ok(gateway.session.ready && connector.session.ready);
  return { gateway, connector };
}

export function open({ session }: Side, fin = true): { probe: Probe; stream: Stream } {
  const probe = new Probe();
  const head = encodeRequest('GET', '/', ['Host', 'a']);
  const stream = session.open(openPrefix('http', 'app'), head, fin, probe, 300);
  probe.stream = stream;
  return { probe, stream };
}
