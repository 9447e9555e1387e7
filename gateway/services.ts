// Makes from the configuration what a gateway needs to know services: whose certificates and whose tokens count.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import {
  decodeReview,
  encodeQuestion,
  MAX_REVIEW,
  REVIEW_PATH,
  type Review,
  type ReviewQuestion,
  reviewId,
} from '#connectors/wire/token-review';
import type { Log } from '#siem/log';
import type { GatewayConfig, ServicesConfig } from './config.ts';
import { readAuthorities } from './identity/authorities.ts';
import { providerFetch } from './identity/provider-http.ts';
import { ProviderKeys } from './identity/provider-keys.ts';
import { ServiceTokens } from './identity/service-tokens.ts';
import { Services } from './identity/services.ts';
import type { ReviewConfig } from './identity/services-config.ts';
import { type Svid, SvidError, TrustDomains } from './identity/svid.ts';
import { TokenReviews } from './identity/token-review.ts';
import { BundleError, FollowedBundle, readBundle } from './identity/trust-bundle.ts';
import type { TunnelRelays } from './tunnel/relay.ts';

/** Services that our own authority vouches for; connectors, which it vouches for too, are none. */
const OWN_SERVICES = '/service/';
/** Milliseconds in which a cluster is to answer, by whichever connectors. */
const REVIEW_LIMIT = 5_000;
/** The log says at most this often that a cluster cannot be asked, in milliseconds. */
const TOLD_EVERY = 60_000;

/** A key set of the configuration that cannot be used. `message` names the file. */
class ServicesConfigError extends Error {
  readonly code = 'services-config';
}

/** What connectors may serve: apps, and questions about tokens. */
export function servedBy({ apps, services }: Pick<GatewayConfig, 'apps' | 'services'>): readonly {
  readonly id: string;
  readonly connectors: readonly string[];
}[] {
  const reviews = services?.issuers.flatMap(({ review }) => review ?? []) ?? [];
  return [...apps, ...reviews.map(({ cluster, connectors }) => ({ id: reviewId(cluster), connectors }))];
}

/** `own`: PEM of the authority behind the connectors' trust domain. Throws ServicesConfigError or BundleError. */
export function openServices(
  { connectors }: GatewayConfig,
  services: ServicesConfig,
  own: string,
  {
    log,
    now,
    revoked,
    tunnels,
  }: {
    readonly log: Log;
    readonly now: () => number;
    readonly tunnels: Pick<TunnelRelays, 'ask' | 'coming'>;
    /** Whether one of our own certificates was. */
    readonly revoked: (serial: string) => boolean;
  },
  undo: (() => unknown)[],
): Services {
  const issuers = services.issuers.map(({ keys, ca, review, ...issuer }) => ({
    ...issuer,
    keys: keySource(keys, ca, now),
    reviews: review && new TokenReviews({ ask: asking(review, tunnels, log, now), keep: review.keep, now }),
  }));
  const { authorities } = readBundle(own, 'ca.pem');
  const ours = { name: connectors.trustDomain, bundle: authorities, below: OWN_SERVICES, ours: true };
  // Until a bundle is there nobody vouches for its trust domain.
  const others = services.trustDomains.map(({ name }) => ({ name, bundle: [], below: '/' }));
  const domains = new TrustDomains([...others, ours]);
  for (const { name, bundle, ca } of services.trustDomains) {
    const followed = new FollowedBundle({
      ...{ source: bundle, log, get: textAt(ca) },
      onChange: (found) => {
        try {
          domains.replace(name, found);
        } catch (cause) {
          if (!(cause instanceof SvidError)) throw cause;
          throw new BundleError(`${bundle}: ${cause.message}`, { cause });
        }
      },
    });
    undo.push(() => followed.stop());
  }
  const ofOurs = ({ trustDomain, serial }: Svid): boolean => trustDomain === ours.name && revoked(serial);
  return new Services(domains, new ServiceTokens(issuers, now), now, ofOurs);
}

/** Asks a cluster by its connectors. What it answers rejects, and the log says why, when nobody could be asked. */
function asking(
  { cluster }: ReviewConfig,
  tunnels: Pick<TunnelRelays, 'ask' | 'coming'>,
  log: Log,
  now: () => number,
): (question: ReviewQuestion) => Promise<Review> {
  const app = reviewId(cluster);
  let toldAt = Number.NEGATIVE_INFINITY;
  const failed = (failure: string, detail: string): Error => {
    if (now() - toldAt >= TOLD_EVERY) {
      toldAt = now();
      log.warn({ cluster, failure, detail }, `the cluster ${cluster} cannot be asked about tokens`);
    }
    return new Error(`${failure}: ${detail}`);
  };
  return async (question) => {
    const signal = AbortSignal.timeout(REVIEW_LIMIT);
    const coming = tunnels.coming(app);
    if (coming !== undefined) await Promise.race([coming, once(signal, 'abort')]);
    const asked = { app, method: 'POST', path: REVIEW_PATH, body: encodeQuestion(question) };
    const answered = await tunnels.ask({ ...asked, limit: MAX_REVIEW, signal });
    if (!answered.ok) throw failed(answered.failure, answered.detail);
    if (answered.status !== 200) throw failed('app-error', `a connector answered ${answered.status}`);
    try {
      return decodeReview(answered.body);
    } catch (cause) {
      throw failed('app-error', `a connector’s answer: ${(cause as Error).message}`);
    }
  };
}

/** Gets a document from an https address, bounded in time and size. */
function textAt(ca: string | undefined): (url: string) => Promise<string> {
  const fetchBounded = providerFetch(ca === undefined ? undefined : readAuthorities(ca));
  return async (url) => {
    const reply = await fetchBounded(url, { method: 'GET', headers: {}, body: null, redirect: 'manual' });
    if (reply.status !== 200) throw new Error(`${url} answered ${reply.status}`);
    return reply.text();
  };
}

function keySource(keys: string, ca: string | undefined, now: () => number): JWTVerifyGetKey {
  if (!keys.startsWith('https://')) {
    const set: JSONWebKeySet = JSON.parse(readFileSync(keys, 'utf8'));
    if (!Array.isArray(set?.keys)) throw new ServicesConfigError(`${keys} is no key set (RFC 7517)`);
    return createLocalJWKSet(set);
  }
  const get = textAt(ca);
  return new ProviderKeys(async (): Promise<JSONWebKeySet> => JSON.parse(await get(keys)), now).find;
}
