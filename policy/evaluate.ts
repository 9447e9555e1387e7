// The hot path: whether a rule matches, and which rule decides. It must not allocate, and only `decideFor` may
// return an allow, from its one explicit branch.
import { acr } from './criteria/acr.ts';
import { amr } from './criteria/amr.ts';
import { approval } from './criteria/approval.ts';
import { asn } from './criteria/asn.ts';
import { connectorPosture } from './criteria/connector-posture.ts';
import { country } from './criteria/country.ts';
import { cve } from './criteria/cve.ts';
import { feed } from './criteria/feed.ts';
import { firmware } from './criteria/firmware.ts';
import { hours } from './criteria/hours.ts';
import { key } from './criteria/key.ts';
import { methods } from './criteria/methods.ts';
import { mfa } from './criteria/mfa.ts';
import { network } from './criteria/network.ts';
import { paths } from './criteria/paths.ts';
import { phishing } from './criteria/phishing.ts';
import { posture } from './criteria/posture.ts';
import { protocol } from './criteria/protocol.ts';
import { provenance } from './criteria/provenance.ts';
import { provider } from './criteria/provider.ts';
import { quote } from './criteria/quote.ts';
import { risk } from './criteria/risk.ts';
import { scan } from './criteria/scan.ts';
import { signedBy } from './criteria/signed-by.ts';
import { ticket } from './criteria/ticket.ts';
import { validity } from './criteria/validity.ts';
import { who } from './criteria/who.ts';
import type { Decision } from './decision.ts';
import type { Facts } from './facts.ts';
import { compareAsking, unfulfilled } from './obligations.ts';
import type { Box, Rule } from './rule.ts';
import { TO_ALLOW, type Truth } from './truth.ts';

/** Whether every criterion of a box reaches the truth that is needed. Cheapest and most telling first. */
function meets(box: Box, facts: Facts, needed: Truth): boolean {
  if (box.who !== null && who.truth(box.who, facts) < needed) return false;
  if (box.protocol !== null && protocol.truth(box.protocol, facts) < needed) return false;
  if (box.methods !== null && methods.truth(box.methods, facts) < needed) return false;
  if (box.posture !== null && posture.truth(box.posture, facts) < needed) return false;
  if (box.connectorPosture !== null && connectorPosture.truth(box.connectorPosture, facts) < needed)
    return false;
  if (box.key !== null && key.truth(box.key, facts) < needed) return false;
  if (box.ticket !== null && ticket.truth(box.ticket, facts) < needed) return false;
  if (box.approval !== null && approval.truth(box.approval, facts) < needed) return false;
  if (box.risk !== null && risk.truth(box.risk, facts) < needed) return false;
  if (box.validity !== null && validity.truth(box.validity, facts) < needed) return false;
  if (box.mfa !== null && mfa.truth(box.mfa, facts) < needed) return false;
  if (box.quote !== null && quote.truth(box.quote, facts) < needed) return false;
  if (box.scan !== null && scan.truth(box.scan, facts) < needed) return false;
  if (box.cve !== null && cve.truth(box.cve, facts) < needed) return false;
  if (box.country !== null && country.truth(box.country, facts) < needed) return false;
  if (box.asn !== null && asn.truth(box.asn, facts) < needed) return false;
  if (box.provider !== null && provider.truth(box.provider, facts) < needed) return false;
  if (box.acr !== null && acr.truth(box.acr, facts) < needed) return false;
  if (box.amr !== null && amr.truth(box.amr, facts) < needed) return false;
  if (box.phishing !== null && phishing.truth(box.phishing, facts) < needed) return false;
  if (box.feed !== null && feed.truth(box.feed, facts) < needed) return false;
  if (box.signedBy !== null && signedBy.truth(box.signedBy, facts) < needed) return false;
  if (box.provenance !== null && provenance.truth(box.provenance, facts) < needed) return false;
  if (box.firmware !== null && firmware.truth(box.firmware, facts) < needed) return false;
  if (box.hours !== null && hours.truth(box.hours, facts) < needed) return false;
  if (box.paths !== null && paths.truth(box.paths, facts) < needed) return false;
  return box.network === null || network.truth(box.network, facts) >= needed;
}

/** Whether a rule matches: its base and one alternative pass, and nothing under `unless` is known to lift it. */
export function matches(rule: Rule, facts: Facts): boolean {
  const { needed } = rule;
  return (
    meets(rule.base, facts, needed) &&
    (rule.when.length === 0 || meetsOne(rule.when, facts, needed)) &&
    (rule.unless.length === 0 || !meetsOne(rule.unless, facts, TO_ALLOW))
  );
}

/** The first rule of a list that matches, or undefined. */
function firstMatch(rules: readonly Rule[], facts: Facts): Rule | undefined {
  for (const rule of rules) if (matches(rule, facts)) return rule;
  return undefined;
}

/** An app's rules in force, each list in the order in which a match counts. */
export interface AppRules {
  readonly deny: readonly Rule[];
  readonly allow: readonly Rule[];
  readonly shadow: readonly Rule[];
  /** Some rule asks something of the connector that a request goes through. */
  readonly asksConnector: boolean;
}

export const NO_RULE_FOR_APP: Decision = Object.freeze({ verdict: 'deny', reason: 'no-rule-for-app' });
const NO_RULE_MATCHED: Decision = Object.freeze({ verdict: 'deny', reason: 'no-rule-matched' });
export const ERROR: Decision = Object.freeze({ verdict: 'deny', reason: 'error' });

/**
 * A deny wins over any allow, and without an allow the answer is deny. An allow counts only if the request lacks nothing that
 * it asks, so that a rule which asks for a step-up takes nothing away from one that does not. Shadow rules are not asked here.
 * `spent`: ids of allow rules that count no more, as their rates are used up.
 */
export function decideFor(rules: AppRules, facts: Facts, spent?: ReadonlySet<string>): Decision {
  const deny = firstMatch(rules.deny, facts);
  if (deny !== undefined) return deny.decision;
  let lacking: Rule | undefined;
  for (const rule of rules.allow) {
    if (spent?.has(rule.id) === true || !matches(rule, facts)) continue;
    if (unfulfilled(rule.decision.obligations, facts.request) === undefined) return rule.decision;
    if (lacking === undefined || compareAsking(rule.burden, lacking.burden) < 0) lacking = rule;
  }
  if (lacking !== undefined) return refusalBy(lacking, facts);
  return rules.allow.length === 0 ? NO_RULE_FOR_APP : NO_RULE_MATCHED;
}

/** What a rule says that would allow, to a request which lacks something it asks. */
function refusalBy({ decision, refusals }: Rule, { request }: Facts): Decision {
  const lack = unfulfilled(decision.obligations, request);
  return (lack === undefined ? undefined : refusals?.[lack]) ?? ERROR;
}

function meetsOne(boxes: readonly Box[], facts: Facts, needed: Truth): boolean {
  for (const box of boxes) if (meets(box, facts, needed)) return true;
  return false;
}
