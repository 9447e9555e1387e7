// The installation of the walk: a front end and a storage service as processes of their own, each behind a connector
// that shows it a client certificate; people sign in at the provider, services prove themselves by certificates.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  authority,
  CLIENT,
  certify,
  type Holder,
  keyPem,
  newKeys,
  pemOf,
  SERVER,
} from '#test/gateway/identity/service-certificates';
import { StoryInstallation } from '../installation.ts';
import { Part } from '../part.ts';
import { freePorts } from '../ports.ts';
import type { Identity } from './back-end.ts';

export const FRONT = 'spiffe://prod.example/front';
const STORAGE = 'spiffe://prod.example/storage';
const BATCH = 'spiffe://prod.example/batch';

const RULES = `version: 1
zone: UTC
groups:
  office: { members: ["corp:engineering", "corp:support", "corp:finance"] }
  keepers: { members: ["corp:engineering", "corp:support"] }
apps: [wiki, vault, ledger, drop, mirror, spare, front, storage]
rules:
  - { id: office-front, allow: front, who: office }
  - { id: keepers-storage, allow: storage, who: keepers }
  - { id: front-storage, allow: storage, who: "service:${FRONT}", methods: [GET] }
  - { id: batch-storage, allow: storage, who: "service:${BATCH}" }
`;

export interface Walk {
  readonly installation: StoryInstallation;
  /** Of the listener for services. */
  readonly services: number;
  readonly storage: number;
  readonly root: Holder;
  /** The front end's process. */
  readonly front: Part;
  /** A certificate of `root` for clients. */
  identity(id: string, issuer?: Holder): Promise<Identity>;
  /** What the connector shows the app, and a way to change it. */
  showStorage(identity: Identity): void;
}

export async function startWalk(t: TestContext): Promise<Walk> {
  const now = Date.now();
  const root = await authority('Prod root', now);
  const foreign = await authority('Foreign root', now);
  const holder = (uri: string, purpose: string, issuer: Holder): Promise<Holder> =>
    newKeys().then((keys) =>
      certify('one', keys, issuer, { uris: [uri], purposes: [purpose], ca: false }, now),
    );
  const identityOf = async (one: Holder): Promise<Identity> => ({ cert: pemOf(one), key: await keyPem(one) });
  const identity = async (id: string, issuer = root): Promise<Identity> =>
    identityOf(await holder(id, CLIENT, issuer));
  const server = async (id: string): Promise<Identity> => identityOf(await holder(id, SERVER, root));
  const [services = 0, front = 0, storage = 0] = await freePorts(3);
  let directory = '';
  const write = (name: string, text: string): void =>
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  const show = (app: string, { cert, key }: Identity): void => {
    write(`rack-${app}.pem`, cert);
    write(`rack-${app}.key`, key);
  };
  const racks = {
    front: await identity('spiffe://prod.example/rack-front'),
    storage: await identity('spiffe://prod.example/rack-storage'),
  };
  const installation = await StoryInstallation.start(t, {
    further: `  - { id: front, name: Front, host: front.localhost, connectors: [rack-front], assertion: { exchange: ["${FRONT}"] } }
  - { id: storage, name: Storage, host: storage.localhost, connectors: [rack-storage] }
services:
  listen: 127.0.0.1:${services}
  trustDomains: [{ name: prod.example, bundle: ./prod.pem }]
`,
    prepare: (place) => {
      directory = place;
      write('prod.pem', pemOf(root));
      write('policy.yaml', RULES);
      for (const app of ['front', 'storage'] as const) show(app, racks[app]);
    },
  });
  const { portal, ca, ports } = installation;
  const both = { portal, ca };
  const frontEnd = await startBackEnd(installation, 'front', {
    ...{ ...both, port: front, services },
    tls: { ...(await server(FRONT)), ca: pemOf(root) },
    identities: {
      front: await identity(FRONT),
      again: await identity(FRONT),
      batch: await identity(BATCH),
      foreign: await identity(FRONT, foreign),
      nobody: null,
    },
  });
  await startBackEnd(installation, 'storage', {
    ...{ ...both, port: storage, services: [FRONT], people: ['ada@example.com'] },
    tls: { ...(await server(STORAGE)), ca: pemOf(root) },
  });
  for (const [app, id, port] of [
    ['front', FRONT, front],
    ['storage', STORAGE, storage],
  ] as const) {
    write(
      `rack-${app}.yaml`,
      `version: 1
name: rack-${app}
gateway: https://localhost:${ports.connectors}
state: ./rack-${app}-state
apps:
  ${app}:
    url: https://127.0.0.1:${port}
    ca: ./prod.pem
    spiffeId: ${id}
    client: { certificate: ./rack-${app}.pem, key: ./rack-${app}.key }
`,
    );
    const grant = ['--config', 'gateway.yaml', '--connector', `rack-${app}`, '--out', `rack-${app}.token`];
    const { code, output } = await installation.sallyport('token', 'create', ...grant);
    assert.equal(code, 0, output);
    installation.run(`rack-${app}`, [
      ...['connector', '--config', `rack-${app}.yaml`, '--token-file', `rack-${app}.token`],
    ]);
  }
  await installation.connected(3);
  return {
    installation,
    services,
    storage,
    root,
    front: frontEnd,
    identity,
    showStorage: (one) => show('storage', one),
  };
}

async function startBackEnd(installation: StoryInstallation, name: string, config: object): Promise<Part> {
  installation.write(`${name}.json`, JSON.stringify(config));
  const program = join(import.meta.dirname, `${name}-process.ts`);
  const part = new Part(name, process.execPath, [program, installation.path(`${name}.json`)], {
    cwd: installation.directory,
    log: installation.path(`${name}.log`),
  });
  installation.atEnd(() => part.stop());
  await part.said(/ready/);
  return part;
}
