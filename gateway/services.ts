// Makes from the configuration what a gateway needs to know services: whose certificates and whose tokens count.
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Log } from '#siem/log';
import type { GatewayConfig, ServicesConfig } from './config.ts';
import { providerFetch } from './identity/provider-http.ts';
import { ProviderKeys } from './identity/provider-keys.ts';
import { ServiceTokens } from './identity/service-tokens.ts';
import { Services } from './identity/services.ts';
import { type Svid, SvidError, TrustDomains } from './identity/svid.ts';
import { BundleError, FollowedBundle, readBundle } from './identity/trust-bundle.ts';

/** Services that our own authority vouches for; connectors, which it vouches for too, are none. */
const OWN_SERVICES = '/service/';

/** A key set of the configuration that cannot be used. `message` names the file. */
class ServicesConfigError extends Error {
  readonly code = 'services-config';
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
  }: {
    readonly log: Log;
    readonly now: () => number;
    /** Whether one of our own certificates was. */
    readonly revoked: (serial: string) => boolean;
  },
  undo: (() => unknown)[],
): Services {
  const issuers = services.issuers.map(({ keys, ca, ...issuer }) => ({
    ...issuer,
    keys: keySource(keys, ca, now),
  }));
  const { authorities } = readBundle(own, 'ca.pem');
  const ours = { name: connectors.trustDomain, bundle: authorities, below: OWN_SERVICES };
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

/** Gets a document from an https address, bounded in time and size. */
function textAt(ca: string | undefined): (url: string) => Promise<string> {
  const fetchBounded = providerFetch(ca === undefined ? undefined : readFileSync(ca, 'utf8'));
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
