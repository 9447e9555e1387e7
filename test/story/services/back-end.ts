// What both back ends of the walk are told, and the check of who asks that they have in common.
import { Agent, fetch } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { createVerifier, type Verify } from '#gateway/pki/verify';

/** PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface ProcessConfig {
  readonly port: number;
  readonly tls: Identity & { readonly ca: string };
  readonly portal: string;
  /** PEM of what the gateway's certificates come from. */
  readonly ca: string;
}

export function verifierOf({ portal, ca }: ProcessConfig, audience: string): Verify {
  const dispatcher = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
  return createVerifier({
    ...{ issuer: portal, audience, requireCertificate: true },
    fetch: (url, init) => fetch(url, { ...init, dispatcher } as object) as unknown as Promise<Response>,
  });
}

export function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
