// What a gateway says on a link of the connectors behind it, and what it does with the streams that the other one then
// opens. Each connector has an id of its own there, so that who decided on a request also chooses who carries it.
import { type Hello, type Way, wayId } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, MAX_WAYS, MAX_WAYS_BYTES, VERSIONS } from '#connectors/wire/limits';
import type { SessionOptions } from '#connectors/wire/session-options';
import { IGNORE } from '#connectors/wire/stream';
import type { Offer } from '#gateway/tunnel/relay';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { bridge } from './bridge.ts';

/** With too many connectors it names the apps alone, as to a gateway that does not choose. */
export function helloOf(offers: readonly Offer[], instance: string): Hello {
  const { window, streams } = DEFAULT_LIMITS;
  const whole = offers.filter(({ by }) => by === undefined);
  const shown = whole.flatMap(({ app, certificate }) => (certificate ? [[app, certificate]] : []));
  const ways = waysOf(offers).map(({ app, certificate, by }): Way => ({ app, ...by, certificate }));
  const few = ways.length <= MAX_WAYS && JSON.stringify(ways).length <= MAX_WAYS_BYTES;
  return {
    ...{ versions: VERSIONS, window, streams, instance, software: 'sallyport' },
    apps: whole.map(({ app }) => app),
    certificates: Object.fromEntries(shown),
    ...(few ? { ways } : {}),
  };
}

/** Takes the other gateway's streams, each for an app or for one connector's way to it. */
export function opener(
  offers: readonly Offer[],
  choose: (offer: Offer) => Tunnel | undefined,
): NonNullable<SessionOptions['onOpen']> {
  const ids = new Map<string, Offer>(waysOf(offers).map((offer, index) => [wayId(index), offer]));
  for (const offer of offers) if (offer.by === undefined) ids.set(offer.app, offer);
  return (stream, request, fin) => {
    const offer = ids.get(request.app);
    // The other gateway bound its assertion to what was offered: another connector's certificate would not fit.
    const tunnel = offer === undefined ? undefined : choose(offer);
    if (offer !== undefined && tunnel !== undefined) return bridge(stream, offer.app, request, fin, tunnel);
    queueMicrotask(() => stream.reset('refused', 'there is no tunnel for this app here any more'));
    return IGNORE;
  };
}

function waysOf(offers: readonly Offer[]): readonly (Offer & Required<Pick<Offer, 'by'>>)[] {
  return offers.flatMap((offer) => (offer.by === undefined ? [] : [{ ...offer, by: offer.by }]));
}
