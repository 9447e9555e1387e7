// The documents of the installation that stories run on: a gateway with several apps, a connector, a policy, people.
import type { Person } from '#bin/demo/people';

export interface StoryPorts {
  readonly people: number;
  readonly connectors: number;
  readonly health: number;
  readonly provider: number;
  readonly nginx: number;
  readonly receiver: number;
}

export const PEOPLE: readonly Person[] = [
  { id: 'ada', name: 'Ada Ferrara', email: 'ada@example.com', groups: ['engineering'], about: 'engineer' },
  { id: 'ben', name: 'Ben Okoro', email: 'ben@example.com', groups: ['support'], about: 'support' },
  {
    id: 'cleo',
    name: 'Cleo <Müller> & Söhne',
    email: 'cleo@example.com',
    groups: ['finance'],
    about: 'finance',
  },
  { id: 'dan', name: 'Dan Ruiz', email: 'dan@example.com', groups: [], about: 'in no group at all' },
];

export const CONNECTOR = 'rack-1';

/** `further`: more keys of the document; `providers`: more identity providers, as list items. */
export function gatewayDocument(ports: StoryPorts, further = '', providers = ''): string {
  return `version: 1
name: edge-1
state: ./state
policy: ./policy.yaml
portal: https://access.localhost:${ports.people}
listen:
  people: 127.0.0.1:${ports.people}
  connectors: 127.0.0.1:${ports.connectors}
  health: 127.0.0.1:${ports.health}
identity:
  providers:
    - id: corp
      name: Example Corp
      issuer: https://id.localhost:${ports.provider}
      clientId: sallyport
      clientSecret: { file: ./client-secret }
      ca: ./state/development-ca/ca.pem
${providers}apps:
  - { id: wiki, name: Wiki, description: What everybody writes down., host: wiki.localhost, connectors: [${CONNECTOR}] }
  - { id: vault, name: Vault, description: Keys and certificates., host: vault.localhost, connectors: [${CONNECTOR}] }
  - { id: ledger, name: Ledger, description: The books., host: ledger.localhost, connectors: [${CONNECTOR}] }
  - { id: drop, name: Drop, description: Files of any size., host: drop.localhost, connectors: [${CONNECTOR}] }
  - { id: mirror, name: Mirror, description: Drop under another name., host: mirror.localhost, connectors: [${CONNECTOR}] }
  - { id: spare, name: Spare, description: No connector serves it., host: spare.localhost, connectors: [rack-2] }
${further}`;
}

export function connectorDocument(ports: StoryPorts): string {
  return `version: 1
name: ${CONNECTOR}
gateway: https://localhost:${ports.connectors}
state: ./connector-state
apps:
  wiki: { url: "http://127.0.0.1:${ports.nginx}" }
  vault: { url: "http://127.0.0.1:${ports.nginx}" }
  ledger: { url: "http://127.0.0.1:${ports.nginx}" }
  drop: { url: "http://127.0.0.1:${ports.receiver}" }
  mirror: { url: "http://127.0.0.1:${ports.receiver}" }
`;
}

export const POLICY: string = `version: 1
zone: UTC
groups:
  staff: { members: ["corp:engineering", "corp:support"] }
  engineering: { members: ["corp:engineering"] }
  finance: { members: ["corp:finance"] }
apps: [wiki, vault, ledger, drop, mirror, spare]
rules:
  - { id: staff-wiki, allow: wiki, who: staff, paths: ["/**"], methods: [GET, HEAD] }
  - { id: engineers-wiki, allow: wiki, who: engineering, paths: ["/**"] }
  - { id: engineers-vault, allow: vault, who: engineering, when: { mfa: 15m } }
  - { id: finance-ledger, allow: ledger, who: finance }
  - { id: engineers-drop, allow: drop, who: engineering }
  - { id: engineers-mirror, allow: mirror, who: engineering }
  - { id: engineers-spare, allow: spare, who: engineering }
`;
