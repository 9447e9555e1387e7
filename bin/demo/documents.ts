// The documents the demo runs on: the same three files an installation has, written where they can be read.

export interface DemoPorts {
  readonly people: number;
  readonly connectors: number;
  readonly health: number;
  readonly provider: number;
  readonly app: number;
}

export function gatewayDocument(ports: DemoPorts): string {
  return `# A gateway with two apps, an identity provider and one connector.
version: 1
name: demo
state: ./state
policy: ./policy.yaml
portal: https://access.localhost:${ports.people}
listen:
  people: 127.0.0.1:${ports.people}
  connectors: 127.0.0.1:${ports.connectors}
  health: 127.0.0.1:${ports.health}
identity:
  providers:
    - id: demo
      name: Demo identity provider
      issuer: https://id.localhost:${ports.provider}
      clientId: sallyport
      clientSecret: { file: ./client-secret }
      ca: ./state/development-ca/ca.pem
apps:
  - id: notes
    name: Notes
    description: A page, an API, a WebSocket and an event stream.
    host: notes.localhost
    connectors: [demo-connector]
  - id: payroll
    name: Payroll
    description: Open to nobody in this demo.
    host: payroll.localhost
    connectors: [demo-connector]
`;
}

export function connectorDocument(ports: DemoPorts): string {
  return `# A connector beside the apps. It dials out; nothing dials in. It reaches what it names here, and nothing else.
version: 1
name: demo-connector
gateway: https://localhost:${ports.connectors}
state: ./connector-state
apps:
  notes: { url: "http://127.0.0.1:${ports.app}" }
  payroll: { url: "http://127.0.0.1:${ports.app}" }
`;
}

export const POLICY_DOCUMENT: string = `# Who may do what, when. Nothing is reachable that no rule here allows.
version: 1
zone: UTC
groups:
  engineering: { members: ["demo:engineering"] }
  support: { members: ["demo:support"] }
  finance: { members: ["demo:finance"] }
apps: [notes, payroll]
rules:
  - { id: embargo, deny: "*", when: { country: [KP] }, because: Not permitted from this country. }
  - { id: engineers-notes, allow: notes, who: engineering, paths: ["/", "/api/**", "/events", "/echo"] }
  - { id: engineers-admin, allow: notes, who: engineering, paths: ["/admin"], when: { mfa: 15m } }
  - { id: support-notes, allow: notes, who: support, methods: [GET, HEAD], paths: ["/", "/api/**", "/events", "/echo"] }
  - { id: finance-payroll, allow: payroll, who: finance, when: { mfa: 8h } }
tests:
  - { name: an engineer writes, groups: "demo:engineering", app: notes, method: POST, path: /api/notes, at: "2026-03-04T10:00[UTC]", country: DE, expect: allow }
  - { name: support only reads, groups: "demo:support", app: notes, method: POST, path: /api/notes, at: "2026-03-04T10:00[UTC]", country: DE, expect: deny }
`;
