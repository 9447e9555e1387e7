// Makes from the configuration what a gateway needs to know services: whose certificates and whose tokens count.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { GatewayConfig, ServicesConfig } from './config.ts';
import { providerFetch } from './identity/provider-http.ts';
import { ProviderKeys } from './identity/provider-keys.ts';
import { ServiceTokens } from './identity/service-tokens.ts';
import { Services } from './identity/services.ts';
import { SvidError, TrustDomains } from './identity/svid.ts';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** Services that our own authority vouches for; connectors, which it vouches for too, are none. */
const OWN_SERVICES = '/service/';

/** A bundle or key set of the configuration that cannot be used. `message` names the file. */
class ServicesConfigError extends Error {
  readonly code = 'services-config';
}

/** `own`: PEM of the authority behind the connectors' trust domain. Throws ServicesConfigError. */
export function openServices(
  { connectors }: GatewayConfig,
  services: ServicesConfig,
  own: string,
  now: () => number,
): Services {
  const domains = services.trustDomains.map(({ name, bundle }) => ({
    name,
    bundle: certificatesIn(readFileSync(bundle, 'utf8'), bundle),
    below: '/',
  }));
  const ours = { name: connectors.trustDomain, bundle: certificatesIn(own, 'ca.pem'), below: OWN_SERVICES };
  const issuers = services.issuers.map(({ keys, ca, ...issuer }) => ({
    ...issuer,
    keys: keySource(keys, ca, now),
  }));
  try {
    return new Services(new TrustDomains([...domains, ours]), new ServiceTokens(issuers, now), now);
  } catch (cause) {
    if (!(cause instanceof SvidError)) throw cause;
    const files = services.trustDomains.map(({ bundle }) => bundle).join(', ');
    throw new ServicesConfigError(`${files}: ${cause.message}`, { cause });
  }
}

function certificatesIn(text: string, file: string): Buffer[] {
  const found = text.match(PEM) ?? [];
  if (found.length === 0) throw new ServicesConfigError(`${file} holds no certificate in PEM`);
  return found.map((pem) => new X509Certificate(pem).raw);
}

function keySource(keys: string, ca: string | undefined, now: () => number): JWTVerifyGetKey {
  if (!keys.startsWith('https://')) {
    const set: JSONWebKeySet = JSON.parse(readFileSync(keys, 'utf8'));
    if (!Array.isArray(set?.keys)) throw new ServicesConfigError(`${keys} is no key set (RFC 7517)`);
    return createLocalJWKSet(set);
  }
  const fetchBounded = providerFetch(ca === undefined ? undefined : readFileSync(ca, 'utf8'));
  const load = async (): Promise<JSONWebKeySet> => {
    const reply = await fetchBounded(keys, { method: 'GET', headers: {}, body: null, redirect: 'manual' });
    if (reply.status !== 200) throw new Error(`${keys} answered ${reply.status}`);
    return (await reply.json()) as JSONWebKeySet;
  };
  return new ProviderKeys(load, now).find;
}
