// The documents of a fleet's gateways and connectors.

export interface GatewayValues {
  readonly index: number;
  /** Connectors that may serve the app, as a YAML list's inside. */
  readonly names: string;
  readonly address: string;
  readonly health: number;
  readonly people: number;
  readonly connectors: number;
  readonly issuer: string;
  /** YAML of the `state` key. */
  readonly state: string;
  /** More top-level keys. */
  readonly further: string;
  /** More of `identity`, indented. */
  readonly sessions: string;
}

export function gatewayDocument(values: GatewayValues): string {
  const { index, address, health, people, connectors, issuer, state, further, sessions, names } = values;
  return `version: 1
name: gateway-${index}
state: ${state}
policy: ./policy.yaml
portal: https://access.localhost:${people}
listen:
  people: ${address}:${people}
  connectors: ${address}:${connectors}
  health: 127.0.0.1:${health}
connectors:
  hosts: [localhost, "${address}"]
identity:
  providers:
    - id: corp
      name: Example Corp
      issuer: ${issuer}
      clientId: sallyport
      clientSecret: { file: ./client-secret }
      ca: ./provider-ca.pem
${sessions}apps:
  - { id: wiki, name: Wiki, host: wiki.localhost, connectors: [${names}] }
${further}`;
}

export const POLICY: string = `version: 1
zone: UTC
groups: { staff: { members: ["corp:staff"] } }
apps: [wiki]
rules: [{ id: staff-wiki, allow: wiki, who: staff }]
`;

export function connectorDocument(values: {
  readonly address: string;
  readonly connectors: number;
  readonly app: number;
}): string {
  const { address, connectors, app } = values;
  return `version: 1
name: rack-1
gateway: https://${address}:${connectors}
state: ./connector-state
apps:
  wiki: { url: "http://127.0.0.1:${app}" }
`;
}

/** The `state` key of a gateway on one Redis server. */
export function onServer(port: number, more = ''): string {
  return inRedis(`server: "127.0.0.1:${port}"${more}`);
}

/** And of one on a Redis that Sentinels watch; `more` of their keys, and of Redis's. */
export function onSentinels(
  name: string,
  ports: readonly number[],
  { host, ofSentinels, more }: Record<'host' | 'ofSentinels' | 'more', string> = {
    ...{ host: '127.0.0.1', ofSentinels: '', more: '' },
  },
): string {
  const addresses = ports.map((port) => `"${host}:${port}"`).join(', ');
  return inRedis(`sentinel: { name: ${name}, addresses: [${addresses}]${ofSentinels} }${more}`);
}

function inRedis(redis: string): string {
  return `{ kind: redis, directory: ./state, secret: { file: ./state-secret }, redis: { ${redis} } }`;
}
