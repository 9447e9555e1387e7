// The certificate a listener of ours shows: from files the operator keeps, or issued here and renewed in time.
import { readFileSync } from 'node:fs';
import type { Server } from 'node:tls';
import { readPrivate } from '#gateway/state/private-files';
import type { Log } from '#siem/log';
import type { Authority } from './issued.ts';

/** Life of a certificate we issue to ourselves; renewed when a third of it is left. */
const LIFE = 24 * 3_600_000;
const CHECK_INTERVAL = 60_000;

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** The operator's own chain and key. Throws if the key file can be read by others. */
export function certificateFromFiles(files: { certificate: string; key: string }): ServerCertificate {
  return { cert: readFileSync(files.certificate, 'utf8'), key: readPrivate(files.key) };
}

/** A certificate of ours for `names`. */
export async function issueCertificate(
  authority: Authority,
  names: readonly string[],
): Promise<ServerCertificate & { readonly notAfter: number }> {
  const { certificate, key, notAfter } = await authority.issueServer(names, LIFE);
  // With the root: browsers that are told to trust its key find it in what they are shown.
  return { cert: certificate + authority.certificate, key, notAfter };
}

export interface Renewed {
  readonly authority: Authority;
  readonly names: readonly string[];
  /** When the certificate that is shown now ends. */
  readonly notAfter: number;
  /** TLS settings beside certificate and key. */
  settings(): object;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * Gives `server` a fresh certificate before its own runs out, and when another intermediate issues; connections that
 * are up are not touched. Stop it with clearInterval.
 */
export function keepRenewed(server: Server, renewed: Renewed): NodeJS.Timeout {
  const { authority, names, settings, now, log } = renewed;
  let { notAfter } = renewed;
  const renew = async (): Promise<void> => {
    try {
      const fresh = await issueCertificate(authority, names);
      server.setSecureContext({ ...settings(), cert: fresh.cert, key: fresh.key });
      notAfter = fresh.notAfter;
    } catch (error) {
      log.error({ err: error }, `the certificate for ${names[0]} is not renewed; the one before it stays`);
    }
  };
  authority.onChange(() => void renew());
  const due = (): boolean => now() >= notAfter - LIFE / 3;
  return setInterval(() => due() && void renew(), CHECK_INTERVAL).unref();
}
