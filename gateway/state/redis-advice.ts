// Why a Redis server or a Sentinel cannot be used, in words for whoever runs the gateway, with what to do about it.

/** Where the configuration says how to speak to whoever answered. */
export type Asked = 'state.redis' | 'state.redis.sentinel';

const WANTS_CERTIFICATE = 'if it wants a client certificate, set state.redis.tls.certificate and key';
const CLOSED = /ECONNRESET|EPIPE/;

const ADVICE: readonly (readonly [said: RegExp, advice: (asked: Asked) => string])[] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/,
    () => 'it does not speak TLS there: name its port for TLS, or take away state.redis.tls',
  ],
  [/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/, () => WANTS_CERTIFICATE],
  [
    /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_)/,
    () =>
      'it does not accept the certificate of state.redis.tls.certificate: have its authority in its tls-ca-cert-file',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/,
    () => 'the authority of its certificate is not in state.redis.tls.ca',
  ],
  [
    /ALTNAME_INVALID/,
    () =>
      'give it a certificate for the name or address by which it is dialled, or set state.redis.tls.serverName to the name that all certificates have',
  ],
  [/WRONGPASS/, (asked) => `look at ${asked}.username and ${asked}.password.file`],
  [/NOAUTH/, (asked) => `it asks for a password: set ${asked}.password.file`],
  [/^\S* ?OOM/, () => 'its memory is full: raise maxmemory, or look at what else it holds'],
  [/NOPERM/, () => 'its ACL user lacks a right: the page on state says which ones it needs'],
  [
    /unknown command '?SENTINEL/i,
    () =>
      'it is not a Sentinel: name the Sentinels in state.redis.sentinel.addresses, or this server in state.redis.server',
  ],
];

/** `tls`: whether TLS was spoken. Redis's and the runtime's own words stay: they say more than ours. */
export function adviceOn(error: Error, asked: Asked, tls: boolean): string {
  const { code = '', reason, message } = error as NodeJS.ErrnoException & { readonly reason?: string };
  // OpenSSL's message is a line of its source; its reason is for people.
  const openssl = code.startsWith('ERR_SSL_') && reason !== undefined;
  const said = openssl ? reason : message.replace(/[\s.:]+$/, '');
  const advice = CLOSED.test(message)
    ? `it hangs up; ${tls ? WANTS_CERTIFICATE : 'if it speaks only TLS, set state.redis.tls'}`
    : ADVICE.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1](asked);
  return advice === undefined ? said : `${said}: ${advice}`;
}
