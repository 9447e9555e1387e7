// A gateway's admin API with people in every role, who sign what they ask with real keys, and what it records of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sshSign } from '#bin/ssh-keygen';
import type { GatewayConfig } from '#gateway/config';
import { adminApp } from '#gateway/console/admin';
import { openAdmins } from '#gateway/console/admins';
import { adminSchema } from '#gateway/console/config';
import { ROLES } from '#gateway/console/roles';
import type { Shares } from '#gateway/console/shares';
import { ADMIN_NAMESPACE, textToSign } from '#gateway/console/signed-request';
import { Strangers } from '#gateway/inspect/strangers';
import type { Store } from '#gateway/state/store';
import type { SallyportEvent } from '#siem/event';
import { ChangeBed, publicKey } from '../change/bed.ts';

const GATEWAY = 'access.example.com/edge-1';

export type AdminApp = ReturnType<typeof adminApp>;

/** What is to be unusual about a request. */
export interface Wish {
  readonly body?: string;
  readonly gateway?: string;
  readonly namespace?: string;
  readonly at?: number;
  readonly nonce?: string;
  /** What is sent in the place of what was signed. */
  readonly sent?: { readonly path?: string; readonly body?: string };
  /** Another gateway than the one of these tests. */
  readonly to?: AdminApp;
  readonly round?: string;
}
/** What a store is for one gateway, forgotten with it. */
function memory(): Pick<Store, 'update'> {
  const kept = new Map<string, unknown>();
  return {
    update: async (_kind, key, change) => {
      const next = change(kept.get(key) as never);
      if (next !== undefined) kept.set(key, next.value);
      return next !== undefined;
    },
  };
}

export class AdminBed {
  readonly state: string = mkdtempSync(join(tmpdir(), 'sallyport-admin-'));
  readonly events: SallyportEvent[] = [];
  /** Everybody's key file, by name; `stranger` is on no list. */
  readonly keys: ReadonlyMap<string, string>;
  readonly signers: string;
  readonly admin: ReturnType<typeof adminSchema.parse>;
  readonly app: AdminApp;
  now: number = Date.UTC(2026, 2, 4);
  /** Nothing can be recorded. */
  full = false;
  /** Until when the next gateway that starts has records. */
  recordedUntil = 0;
  /** What the last answer said, in seconds. */
  retryAfter: string | null = null;
  readonly #bed = new ChangeBed();
  #nonces = 0;
  #shares: Shares | undefined;
  readonly #recorder = {
    record: async (event: SallyportEvent): Promise<string> => {
      if (this.full) throw new Error('the outbox is full');
      this.events.push(event);
      return `event-${this.events.length}`;
    },
  };

  /** Tells sums of refusals when it is asked to. */
  readonly strangers: Strangers = new Strangers({
    limits: { perAddress: 100, together: 100 },
    store: { admit: () => Promise.reject(new Error('nothing is counted there')) },
    recorder: this.#recorder as never,
    metrics: { refused: () => {} },
    behind: () => false,
    now: () => this.now,
  });

  constructor() {
    const names = [...ROLES, 'nobody', 'glass', 'glass-2', 'glass-3', 'glass-4', 'stranger'];
    this.keys = new Map(names.map((name) => [name, this.#bed.key(name)]));
    const listed = [...this.keys].filter(([name]) => name !== 'stranger');
    const lines = listed.map(([name, key]) => `${name} ${publicKey(key)}\n`);
    this.signers = this.#bed.write('admins', lines.join(''));
    this.admin = adminSchema.parse({
      signers: this.signers,
      roles: Object.fromEntries(ROLES.map((role) => [role, [role]])),
      breakGlass: { accounts: ['glass', 'glass-2', 'glass-3', 'glass-4'], lasts: '1h' },
    });
    this.app = this.appOf({ admin: this.admin });
  }

  close(): void {
    this.strangers.stop();
    this.#bed.close();
    rmSync(this.state, { recursive: true, force: true });
  }

  /** Of the API that was made last. */
  get shares(): Shares {
    if (this.#shares === undefined) throw new Error('there is no API yet');
    return this.#shares;
  }

  /** The API of a gateway with another configuration or store. */
  appOf(more: Partial<GatewayConfig>, store: Pick<Store, 'update'> = memory()): ReturnType<typeof adminApp> {
    const config = {
      state: this.state,
      portal: 'https://access.example.com:8443',
      name: 'edge-1',
      ...more,
    } as GatewayConfig;
    const admins = openAdmins({
      config,
      signed: () => undefined,
      store,
      recorder: this.#recorder as never,
      outbox: { recordedUntil: this.recordedUntil },
      now: () => this.now,
    });
    this.#shares = admins.shares;
    const parts = {
      strangers: this.strangers,
      ...{ admins, recorder: this.#recorder, changes: undefined, connectorNames: new Set() },
      sessions: { list: async () => [] },
      devices: {
        list: async () => [],
        baselines: async () => [],
        approveBaseline: async () => undefined,
        removeBaseline: async () => undefined,
      },
      status: () => ({}),
      reloadPolicy: async () => [],
    };
    return adminApp(parts as never);
  }

  async ask(who: string, route: string, wish: Wish = {}): Promise<{ status: number; code: unknown }> {
    const [method = '', path = ''] = route.replace(/:[a-z]+/, 'x').split(' ');
    const body = wish.body ?? (method === 'GET' ? '' : '{}');
    const at = new Date(wish.at ?? this.now).toISOString();
    this.#nonces += 1;
    const nonce = wish.nonce ?? `n${this.#nonces}`;
    const text = textToSign({ gateway: wish.gateway ?? GATEWAY, method, target: path, body, at, nonce });
    const armour = sshSign(this.keys.get(who) ?? '', wish.namespace ?? ADMIN_NAMESPACE, text);
    const signature = armour.trim().split('\n').slice(1, -1).join('');
    const sent = wish.sent?.body ?? body;
    const reply = await (wish.to ?? this.app).request(wish.sent?.path ?? path, {
      method,
      headers: {
        ...{ 'sallyport-signature': signature, 'sallyport-signed-at': at, 'sallyport-nonce': nonce },
        ...(wish.round === undefined ? {} : { 'sallyport-round': wish.round }),
      },
      ...(method === 'GET' ? {} : { body: sent }),
    });
    this.retryAfter = reply.headers.get('retry-after');
    return { status: reply.status, code: ((await reply.json()) as { error?: unknown }).error };
  }
}
