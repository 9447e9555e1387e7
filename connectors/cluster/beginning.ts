// A request whose body has not begun. The pool sends a head only together with the first bytes of its body; an app that is
// to answer before any come (a refusal, a stream in both directions) would never hear of the request.
import type { RequestHead } from '../wire/head.ts';
import { IGNORE, type Stream, type StreamHandler } from '../wire/stream.ts';
import type { App } from './app.ts';
import { DirectExchange } from './direct.ts';
import { PooledExchange } from './pooled.ts';

/** Milliseconds for which a head waits for its body: they mostly come together, or one right behind the other. */
const TOGETHER = 20;

/** Serves the request over the pool if its body begins soon, and else at once over a connection of its own. */
export function beginning(app: App, stream: Stream, request: RequestHead): StreamHandler {
  const timer = setTimeout(() => {
    stream.handler = new DirectExchange(app, stream, request, false, false);
  }, TOGETHER);
  const pooled = (): StreamHandler => {
    clearTimeout(timer);
    const exchange = new PooledExchange(app, stream, request, false);
    stream.handler = exchange;
    return exchange;
  };
  return {
    ...IGNORE,
    onData: (piece, fin) => pooled().onData(piece, fin),
    onTrailers: (trailers) => pooled().onTrailers(trailers),
    onReset: () => clearTimeout(timer),
  };
}
