// What stands at the far end of the bed's tunnels where the real cluster side would be too well behaved.
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { IGNORE } from '#connectors/wire/stream';
import type { Bed } from './bed.ts';

/** An app that answers whatever it is asked. */
export const ok = (_req: unknown, res: { end(body: string): void }): void => res.end('ok');
/** Who carried each request, in order. */
export const names = ({ results }: Bed): (string | undefined)[] => results.map(({ connector }) => connector);

/** Answers each request with 200 itself, without any app. */
export const answers = (stream: Stream): StreamHandler => {
  queueMicrotask(() => stream.head(200, '', ['Content-Length', '0'], true));
  return IGNORE;
};
/** Cannot reach its app until `broken` is set to false. */
export const unreachable =
  (state: { broken: boolean; asked: number }) =>
  (stream: Stream): StreamHandler => {
    state.asked += 1;
    if (!state.broken) return answers(stream);
    queueMicrotask(() => stream.reset('app-unreachable', 'ECONNREFUSED'));
    return IGNORE;
  };
