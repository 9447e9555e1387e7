// What the gateway knows of a header by its name alone: whether it may come, come twice, and go on to an app. Names
// repeat from request to request, so what was found out about one is kept.

/** `_` is left out: back ends that map headers to variables fold it onto `-`. */
const TOKEN = /^[!#$%&'*+.^`|~0-9A-Za-z-]+$/;

/** Headers that our own decision reads or that frame the message: two of them are two readings. */
const SINGLE: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-type',
  'cookie',
  'destination',
  'dpop',
  'expect',
  'host',
  'origin',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-websocket-key',
  'sec-websocket-version',
  'traceparent',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-sallyport-on-behalf-of',
]);

/** RFC 9110 section 7.6.1, and what travels with it in practice. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);

/**
 * Names, folded, by which gateways tell apps who the user is or where the request came from. A client's copy
 * never passes, whether or not we send one ourselves.
 */
const SPEAKS_FOR_US: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'x-cluster-client-ip',
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-original-method',
  'x-rewrite-url',
  'x-request-id',
  'x-http-method-override',
  'x-method-override',
  'x-http-method',
  'x-user',
  'x-username',
  'x-userid',
  'x-user-id',
  'x-user-email',
  'x-email',
  'x-groups',
  'x-roles',
  'x-ssl-client-cert',
  'ssl-client-cert',
  'x-client-cert',
  'client-cert',
  'client-cert-chain',
]);
const SPEAKS_FOR_US_PREFIXES: readonly string[] = [
  'x-forwarded-',
  'x-sallyport-',
  'x-goog-',
  'x-pomerium-',
  'cf-access-',
  'cf-connecting-',
  'x-auth-request-',
  'x-authentik-',
  'x-envoy-',
  'x-ms-client-principal',
  'x-amzn-oidc-',
  'x-ssl-client-',
  // Authelia, and the front proxy of Kubernetes.
  'remote-',
  'x-remote-',
  'x-webauth-',
  'x-authenticated-',
  'tailscale-user-',
];

export interface HeaderName {
  readonly lower: string;
  readonly folded: string;
  readonly wellFormed: boolean;
  /** Two of them are two readings. */
  readonly single: boolean;
  /** The client's copy goes on to the app. */
  readonly passes: boolean;
}

/** Names kept; a client that sends ever new ones only makes itself slower. */
const KEPT = 1_000;
const LONGEST_KEPT = 64;
const known = new Map<string, HeaderName>();

export function headerName(name: string): HeaderName {
  const found = known.get(name);
  if (found !== undefined) return found;
  const one = examined(name);
  if (known.size >= KEPT) known.clear();
  if (name.length <= LONGEST_KEPT) known.set(name, one);
  return one;
}

function examined(name: string): HeaderName {
  const lower = name.toLowerCase();
  const folded = fold(name);
  return {
    lower,
    folded,
    wellFormed: TOKEN.test(name),
    single: SINGLE.has(lower),
    passes: !HOP_BY_HOP.has(folded) && !speaksForUs(folded) && folded !== 'traceparent',
  };
}

/** Back ends that map headers to variables see `-`, `_` and `.` as one character, and no case. */
export function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[_.]/g, '-');
}

/** Whether a folded name is one by which gateways tell apps who the user is or where the request came from. */
export function speaksForUs(folded: string): boolean {
  return SPEAKS_FOR_US.has(folded) || SPEAKS_FOR_US_PREFIXES.some((prefix) => folded.startsWith(prefix));
}
