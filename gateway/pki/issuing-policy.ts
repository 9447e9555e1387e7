// What the issuing process signs, whatever the gateway beside it asks: which names, for how long, by what right, and how
// many a second. It was told so when it started, and nothing that is asked later can change it.
import type { X509Certificate } from 'node:crypto';
import { Allowance, UsedPermissions } from './allowance.ts';
import { LEAF_LIFE } from './authority-directory.ts';
import { type ClientWish, certificatesIn, type Grant, IssueError } from './issued.ts';

/** Tokens that were used are remembered for longer than any lives, in milliseconds. */
const REMEMBERED = 2 * LEAF_LIFE;

export interface IssuingRules {
  /** Names that our own servers may have. */
  readonly servers: readonly string[];
  /** Trust domain of connectors, services and gateways; none: this authority has no clients. */
  readonly trustDomain?: string | undefined;
  /** Certificates a second. */
  readonly perSecond: number;
}

/** `connector` and `service` have names of their own choice, `gateway` is another gateway of the installation. */
const CLIENT = /^\/(connector|service|gateway)\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;

export class IssuingPolicy {
  readonly #rules: IssuingRules;
  readonly #vouchesFor: (certificate: X509Certificate, shown?: X509Certificate) => boolean;
  readonly #allowance: Allowance;
  readonly #used: UsedPermissions;

  constructor(
    rules: IssuingRules,
    vouchesFor: (certificate: X509Certificate, shown?: X509Certificate) => boolean,
    now: () => number,
  ) {
    this.#rules = rules;
    this.#vouchesFor = vouchesFor;
    this.#allowance = new Allowance(rules.perSecond, now);
    this.#used = new UsedPermissions(REMEMBERED, now);
  }

  /** Throws IssueError. */
  server(names: readonly string[], life: number): void {
    const foreign = names.find((name) => !this.#rules.servers.includes(name));
    if (foreign !== undefined || names.length === 0) {
      throw refusal(
        `a server may be called what the configuration says alone, not ${JSON.stringify(foreign)}`,
      );
    }
    this.#life(life);
    this.#allowance.take();
  }

  /** A gateway of the installation asks for itself. Throws IssueError. */
  peer(uri: string, life: number): void {
    if (this.#kindOf(uri) !== 'gateway') throw refusal(`${JSON.stringify(uri)} is no gateway of ours`);
    this.#life(life);
    this.#allowance.take();
  }

  /** Throws IssueError. */
  client({ uri, life, grant }: Omit<ClientWish, 'csr'>): void {
    const kind = this.#kindOf(uri);
    if (kind !== 'connector' && kind !== 'service') {
      throw refusal(`${JSON.stringify(uri)} is no connector or service of ours`);
    }
    this.#life(life);
    this.#allowance.take();
    this.#consume(uri, grant);
  }

  #kindOf(uri: string): string | undefined {
    const prefix = `spiffe://${this.#rules.trustDomain ?? ''}`;
    if (this.#rules.trustDomain === undefined || !uri.startsWith(prefix)) return undefined;
    return CLIENT.exec(uri.slice(prefix.length))?.[1];
  }

  #life(life: number): void {
    if (!(life > 0 && life <= LEAF_LIFE))
      throw refusal(`no certificate lives longer than ${LEAF_LIFE / 3_600_000} h`);
  }

  #consume(uri: string, grant: Grant): void {
    if (grant.kind === 'renewal') {
      const [present, shown] = certificatesIn(grant.certificate);
      if (present?.subjectAltName === `URI:${uri}` && this.#vouchesFor(present, shown)) return;
      throw refusal('what is to be renewed is not a valid certificate of that name');
    }
    this.#used.use(`${grant.kind} ${grant.id}`);
  }
}

function refusal(message: string): IssueError {
  return new IssueError('not-permitted', message);
}
