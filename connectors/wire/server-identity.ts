// Whether a server is who was dialled. The runtime reads the names in a certificate from text, which was fooled more
// than once (CVE-2021-44532, CVE-2021-44533); OpenSSL reads them from its bytes. Both must find the name there.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** For `checkServerIdentity` of whatever dials with TLS: undefined if `certificate` is for `host`. */
export function serverIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkServerIdentity(host, certificate);
  if (fault !== undefined) return fault;
  const { raw } = certificate;
  const name = host.replace(/\.$/, '');
  const shown = raw === undefined ? undefined : new X509Certificate(raw);
  const found = isIP(name) === 0 ? shown?.checkHost(name) : shown?.checkIP(name);
  return found === undefined
    ? new Error(`the server’s certificate is not for ${host}, read byte by byte`)
    : undefined;
}
