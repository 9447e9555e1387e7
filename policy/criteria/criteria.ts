// The table of all criteria. The evaluator names each one itself; explanations and analyses walk this table.

import type { KeyOrigin } from '../input.ts';
import type { PathPattern } from '../net/path.ts';
import { acr } from './acr.ts';
import { amr } from './amr.ts';
import { approval } from './approval.ts';
import { asn } from './asn.ts';
import type { Claims } from './claims.ts';
import { type ConnectorWant, connectorPosture } from './connector-posture.ts';
import { country } from './country.ts';
import type { Criterion } from './criterion.ts';
import { cve } from './cve.ts';
import { type Feed, feed } from './feed.ts';
import { firmware } from './firmware.ts';
import { type Hours, hours } from './hours.ts';
import type { Interval } from './intervals.ts';
import { key } from './key.ts';
import { methods } from './methods.ts';
import { mfa } from './mfa.ts';
import { type Network, network } from './network.ts';
import { paths } from './paths.ts';
import { phishing } from './phishing.ts';
import { posture } from './posture.ts';
import { protocol } from './protocol.ts';
import { provenance } from './provenance.ts';
import { provider } from './provider.ts';
import { quote } from './quote.ts';
import { risk } from './risk.ts';
import { scan } from './scan.ts';
import { signedBy } from './signed-by.ts';
import { ticket } from './ticket.ts';
import { validity } from './validity.ts';
import { type Who, who } from './who.ts';

/** What a rule can want, compiled. A criterion that a rule does not use is null in its box. */
export interface Wants {
  readonly who: Who;
  readonly protocol: 'http' | 'tcp';
  readonly methods: ReadonlySet<string>;
  readonly posture: Claims;
  readonly connectorPosture: ConnectorWant;
  readonly key: KeyOrigin;
  readonly ticket: ReadonlySet<'open' | 'none'>;
  readonly approval: boolean;
  readonly risk: Interval;
  readonly validity: Interval;
  readonly mfa: number;
  readonly quote: number;
  readonly scan: number;
  readonly cve: Interval;
  readonly country: ReadonlySet<string>;
  readonly asn: ReadonlySet<number>;
  readonly provider: ReadonlySet<string>;
  readonly acr: ReadonlySet<string>;
  readonly amr: ReadonlySet<string>;
  readonly phishing: true;
  readonly feed: Feed;
  readonly signedBy: ReadonlySet<string>;
  readonly provenance: ReadonlySet<string>;
  readonly firmware: string;
  readonly hours: readonly Hours[];
  readonly paths: readonly PathPattern[];
  readonly network: Network;
}

export type CriterionName = keyof Wants;

/** In the order of `Wants`, cheapest first, as the evaluator asks them. */
export const CRITERIA: { readonly [N in CriterionName]: Criterion<Wants[N]> } = {
  who,
  protocol,
  methods,
  posture,
  connectorPosture,
  key,
  ticket,
  approval,
  risk,
  validity,
  mfa,
  quote,
  scan,
  cve,
  country,
  asn,
  provider,
  acr,
  amr,
  phishing,
  feed,
  signedBy,
  provenance,
  firmware,
  hours,
  paths,
  network,
};

export const CRITERION_NAMES: readonly CriterionName[] = Object.keys(CRITERIA) as CriterionName[];
