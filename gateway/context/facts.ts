// Gathers what is known about one request into the record that policy decides on. A fact we have no proof for
// is left out: policy treats the absent as unknown, which meets no allow and every deny.

import type { AppConfig } from '#gateway/config';
import type { CleanRequest } from '#gateway/edge/front';
import type { LiveSession } from '#gateway/identity/live-session';
import { type AccessRequest, type Device, INPUT_VERSION } from '#policy/input';
import type { Countries } from './countries.ts';

/** Facts of the client's connection: looked up once, since they cannot change while it lives. */
export type NetworkFacts = AccessRequest['network'];

export function networkFacts(address: string, countries: Countries): NetworkFacts {
  const country = countries.lookup(address);
  return country === undefined ? { address } : { address, country };
}

export function accessRequest(
  session: LiveSession,
  app: AppConfig,
  request: CleanRequest,
  network: NetworkFacts,
  device: Device | undefined,
  at: number,
): AccessRequest {
  return {
    version: INPUT_VERSION,
    at,
    subject: session.subject,
    // A service signs in nowhere: what a rule asks of a sign-in is unknown of it.
    ...(session.subject.kind === 'user' ? { login: session.login } : {}),
    ...(device === undefined ? {} : { device }),
    target:
      app.protocol === 'http'
        ? { app: app.id, protocol: 'http', method: request.method, path: request.path }
        : { app: app.id, protocol: 'tcp' },
    network,
  };
}
