// The documents of the installation under load: one app that is asked, and a policy of a thousand rules around it.
import type { Person } from '#bin/demo/people';

export interface SpinePorts {
  readonly people: number;
  readonly connectors: number;
  readonly health: number;
  readonly provider: number;
  readonly app: number;
}

export const CONNECTOR = 'bench-connector';
/** The app's host. wrk asks the system's resolver, which knows this name everywhere and no name below it. */
export const HOST = 'localhost';
export const RULES = 1000;
const APPS = 125;
const GROUPS = 60;

/** Somebody who may use the app. */
export function person(id: string): Person {
  const groups = ['staff', 'team3', 'team14', 'team15', 'team9', 'team26'];
  return { id, name: 'Ada Ferrara', email: `${id}@example.com`, groups, about: 'engineer' };
}

/** Several workers share what is in Redis. */
export interface Sharing {
  readonly workers: number;
  /** The port of the first one's links to the others. */
  readonly relay: number;
  readonly redis: number;
}

/** `connectors`: names of the connectors that may serve the app. */
export function gatewayDocument(
  ports: SpinePorts,
  connectors: readonly string[],
  sharing?: Sharing | undefined,
): string {
  const state =
    sharing === undefined
      ? 'state: ./state'
      : `state: { kind: redis, directory: ./state, secret: { file: ./state-secret }, redis: { server: "127.0.0.1:${sharing.redis}" } }
workers: { count: ${sharing.workers}, relay: ${sharing.relay} }`;
  return `version: 1
name: bench
${state}
tls: { certificate: ./people.pem, key: ./people.key }
policy: ./policy.yaml
portal: https://access.localhost:${ports.people}
listen:
  people: 127.0.0.1:${ports.people}
  connectors: 127.0.0.1:${ports.connectors}
  health: 127.0.0.1:${ports.health}
# Everybody here has the same address.
limits: { perAddress: 20000 }
identity:
  providers:
    - id: corp
      name: Example Corp
      issuer: https://id.localhost:${ports.provider}
      clientId: sallyport
      clientSecret: { file: ./client-secret }
      ca: ./state/development-ca/ca.pem
apps:
  - { id: app0, name: App, host: ${HOST}, connectors: [${connectors.join(', ')}] }
`;
}

/** `line`: the port at which the gateway's listener for connectors is reached. */
export function connectorDocument(ports: SpinePorts, line: number): string {
  return `version: 1
name: ${CONNECTOR}
gateway: https://localhost:${line}
state: ./connector-state
apps:
  app0: { url: "http://127.0.0.1:${ports.app}" }
`;
}

/** Eight rules an app: a deny, six that nearly allow, and one that does. */
export function policyDocument(): string {
  const apps = Array.from({ length: APPS }, (_, app) => `app${app}`);
  const groups = Array.from(
    { length: GROUPS },
    (_, group) => `  team${group}: { members: ["corp:team${group}"] }`,
  );
  const rules = apps.flatMap((app, index) => {
    const team = (offset: number): string => `team${(index * 7 + offset + 30) % GROUPS}`;
    return [
      `{ id: ${app}-embargo, deny: ${app}, when: { country: [KP, IR] } }`,
      `{ id: ${app}-writers, allow: ${app}, who: ${team(1)}, methods: [POST, PUT], paths: ["/api/**"] }`,
      `{ id: ${app}-office, allow: ${app}, who: ${team(2)}, when: { network: office, hours: work } }`,
      `{ id: ${app}-strong, allow: ${app}, who: ${team(3)}, when: { mfa: 15m } }`,
      `{ id: ${app}-abroad, allow: ${app}, who: staff, when: { country: [DE, FR], network: office } }`,
      `{ id: ${app}-admin, allow: ${app}, who: staff, paths: ["/admin/**"], when: { mfa: 5m } }`,
      `{ id: ${app}-night, allow: ${app}, who: ${team(4)}, when: { hours: night } }`,
      `{ id: ${app}-staff, allow: ${app}, who: staff, methods: [GET, HEAD, POST], paths: ["/", "/**"] }`,
    ].map((rule) => `  - ${rule}`);
  });
  return [
    'version: 1',
    'zone: Europe/Berlin',
    'groups:',
    '  staff: { members: ["corp:staff"] }',
    ...groups,
    'networks: { office: [192.0.2.0/24, 198.51.100.0/24] }',
    'hours:',
    '  work: { days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00" }',
    '  night: { from: "22:00", to: "06:00" }',
    `apps: [${apps.join(', ')}]`,
    'rules:',
    ...rules,
    '',
  ].join('\n');
}
