// The certificate a listener of ours shows: from files the operator keeps, or issued here and renewed in time.
import { readFileSync } from 'node:fs';
import type { Server } from 'node:tls';
import { readPrivate } from '#gateway/state/private-files';
import type { Authority } from './authority.ts';

const DAY = 86_400_000;
/** Life of a certificate we issue to ourselves; renewed when a third of it is left. */
const LIFE = 30 * DAY;
const CHECK_INTERVAL = 3_600_000;

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
  return { cert: certificate + authority.certificate, key, notAfter };
}

/** Gives `server` a fresh certificate before its own runs out; connections that are up are not touched. */
export function keepRenewed(
  server: Server,
  authority: Authority,
  names: readonly string[],
  firstNotAfter: number,
  settings: object,
  now: () => number,
): NodeJS.Timeout {
  let notAfter = firstNotAfter;
  const renew = async (): Promise<void> => {
    if (now() < notAfter - LIFE / 3) return;
    const fresh = await issueCertificate(authority, names);
    server.setSecureContext({ ...settings, cert: fresh.cert, key: fresh.key });
    notAfter = fresh.notAfter;
  };
  return setInterval(() => void renew(), CHECK_INTERVAL).unref();
}
