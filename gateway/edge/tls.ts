// TLS as every listener of ours speaks it: 1.2 and 1.3, forward secrecy and AEAD only (RFC 9325), one context for all
// names, so that no spelling of a server name can reach a weaker one.
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

export const TLS_SETTINGS: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  honorCipherOrder: true,
  // A client that renegotiates makes us pay for handshakes at its leisure.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
};

/** In the order we like them. */
const PROTOCOLS = ['http/1.1', 'http/1.0'];

/**
 * Picks what a connection speaks; undefined ends the handshake (RFC 7301). As a function: of a list Node copies the
 * bytes for every connection, and each copy keeps the slab alive from which it was cut, 3 KB a connection.
 */
export function speakHttp1({ protocols }: { readonly protocols: readonly string[] }): string | undefined {
  return PROTOCOLS.find((one) => protocols.includes(one));
}
