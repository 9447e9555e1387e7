// Writes the trace of a decision for an admin's terminal. What clients sent must not reach the terminal as orders.
import type { Explanation, Remedy } from '#policy/decision';
import type { AccessRequest } from '#policy/input';
import type { EcsDocument } from '#siem/ecs/document';
import type { Trace, Unexplained } from '#siem/trace';
import { terminalLines } from './terminal-lines.ts';

type Recorded = { readonly [name: string]: Recorded | undefined } & string;

const MISSING: Readonly<Record<Unexplained, string>> = {
  'not-a-decision': 'This event is not an access decision, so there are no rules to show.',
  'no-policy': 'No policy took part in this decision, so there are no rules to show.',
  'policy-copy-missing':
    'The copy of the policy that decided is gone, so its rules cannot be shown. What was recorded is above.',
  'policy-copy-unreadable':
    'The copy of the policy that decided was changed or is of another version, so its rules cannot be shown.',
  'input-version': 'This record was made by another version, which knows how to read it.',
};

/** A text for people, ending in a newline. */
export function traceText(trace: Trace): string {
  const { document, input, explanation, unexplained, policyCopy } = trace;
  const recorded = document as unknown as Recorded;
  const lines = [String(document.message), '', ...facts(recorded, input)];
  if (explanation !== undefined) {
    lines.push('', ...rules(explanation, recorded['sallyport']?.['decision']?.['policy_hash']));
    if (trace.agrees === false) {
      lines.push(
        `Deciding again gives ${explanation.decision.verdict}: what refused came after the rules (a rate,` +
          ' a revocation, or an error of that moment).',
      );
    }
  }
  if (unexplained !== undefined) {
    lines.push('', MISSING[unexplained]);
    if (unexplained !== 'not-a-decision' && policyCopy !== undefined)
      lines.push(`It was kept at ${policyCopy}`);
  }
  return terminalLines(lines);
}

function facts(recorded: Recorded, input: AccessRequest | undefined): string[] {
  const event = recorded['event'];
  const own = recorded['sallyport'];
  const decision = own?.['decision'];
  const rows: (readonly [string, string | undefined])[] = [
    ['when', recorded['@timestamp']],
    [
      'event',
      `${event?.['id']} (${event?.['action']}, number ${event?.['sequence']} of ${own?.['gateway']?.['id']})`,
    ],
    ['who', who(input) ?? recorded['user']?.['id']],
    ['signed in', login(input)],
    ['device', device(input)],
    ['from', from(recorded, input)],
    ['app', own?.['app']?.['id']],
    ['request', request(recorded)],
    ['verdict', decision?.['verdict']],
    ['reason', event?.['code']],
    ['rule', rule(recorded)],
    ['shadow rules', shadows(decision)],
    ['session', own?.['session']?.['id']],
    ['connector', own?.['connector']?.['name']],
    ['trace', recorded['trace']?.['id']],
    ['policy', decision?.['policy_hash']],
  ];
  return rows.filter(([, value]) => value !== undefined).map(([name, value]) => `${name.padEnd(13)}${value}`);
}

function who(input: AccessRequest | undefined): string | undefined {
  if (input === undefined) return undefined;
  const { name, email, id, groups, roles } = input.subject;
  const known = [name, email].filter((part) => part !== undefined).join(', ');
  const member = groups.length === 0 ? 'no groups' : `groups ${groups.join(', ')}`;
  const held = roles.length === 0 ? '' : `; roles ${roles.join(', ')}`;
  return `${known === '' ? id : `${known} (${id})`}; ${member}${held}`;
}

function login(input: AccessRequest | undefined): string | undefined {
  if (input?.login === undefined) return undefined;
  const { provider, at, mfaAt, amr } = input.login;
  const mfa = mfaAt === undefined ? 'no second factor' : `second factor ${new Date(mfaAt).toISOString()}`;
  return `${new Date(at).toISOString()} with ${provider}; ${mfa}${amr === undefined ? '' : ` (${amr.join(', ')})`}`;
}

function device(input: AccessRequest | undefined): string | undefined {
  if (input === undefined) return undefined;
  if (input.device === undefined) return 'unknown';
  const { id, ...posture } = input.device;
  const known = Object.entries(posture).map(([name, value]) => `${name} ${String(value)}`);
  return `${id}; ${known.length === 0 ? 'nothing attested' : known.join(', ')}`;
}

function from(recorded: Recorded, input: AccessRequest | undefined): string | undefined {
  const address = recorded['client']?.['address'] ?? input?.network.address;
  if (address === undefined) return undefined;
  const country = input?.network.country;
  return country === undefined ? String(address) : `${address} (${country})`;
}

function request(recorded: Recorded): string | undefined {
  const { url } = recorded;
  const method = recorded['http']?.['request']?.['method'];
  if (url?.['path'] === undefined) return url?.['original'];
  const query = url['query'] === undefined ? '' : `?${url['query']}`;
  return `${method ?? ''} https://${url['domain']}${url['path']}${query}`.trim();
}

function rule(recorded: Recorded): string | undefined {
  const { rule: matched } = recorded;
  if (matched === undefined) return undefined;
  return matched['description'] === undefined ? matched['id'] : `${matched['id']}: ${matched['description']}`;
}

function shadows(decision: Recorded | undefined): string | undefined {
  const allow = decision?.['would_allow'] as unknown as string[] | undefined;
  const deny = decision?.['would_deny'] as unknown as string[] | undefined;
  const parts = [
    ...(allow === undefined ? [] : [`would allow: ${allow.join(', ')}`]),
    ...(deny === undefined ? [] : [`would deny: ${deny.join(', ')}`]),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

function rules(explanation: Explanation, hash: string | undefined): string[] {
  const lines = [`Rules of policy ${hash?.slice(0, 12)}, nearest first:`];
  if (explanation.nearest.length === 0) lines.push('  none speaks of this app');
  for (const { rule: id, effect, met, unmet } of explanation.nearest) {
    lines.push(`  ${id} (${effect})`);
    if (met.length > 0) lines.push(`    met    ${met.join(', ')}`);
    for (const { criterion, code, need, have } of unmet) {
      lines.push(
        `    ${effect === 'allow' ? 'unmet ' : 'cause '} ${criterion}: needs ${need}, has ${have} [${code}]`,
      );
    }
  }
  if (explanation.decision.verdict === 'deny') {
    lines.push(`Remedy: ${remedyText(explanation.remedy)}`);
    if (!explanation.entitled)
      lines.push('No allow rule names this person: they were not told that the app exists.');
  }
  return lines;
}

function remedyText(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'step-up': {
      const strong = remedy.phishingResistant === true ? ' with a phishing-resistant factor' : '';
      const { maxAge = 0 } = remedy;
      const fresh = maxAge === 0 ? '' : `, at most ${Math.round(maxAge / 1000)} s ago`;
      return `sign in again${strong}${fresh}${remedy.acr === undefined ? '' : ` (acr ${remedy.acr})`}`;
    }
    case 'enrol-device':
      return 'use an enrolled device';
    case 'mend-device':
      return 'bring the device into the state that is asked for';
    case 'mend-connector':
      return 'an admin brings a connector of the app into the state that is asked for';
    case 'wait-until':
      return `wait until ${new Date(remedy.at).toISOString()}`;
    case 'request-access':
      return 'be made a member of a group that has access';
    case 'none':
      return 'nothing the person can do';
  }
}

/** The same for programs. */
export function traceJson(trace: Trace): {
  readonly event: EcsDocument;
  readonly explanation?: Explanation;
  readonly unexplained?: Unexplained;
  readonly policyCopy?: string;
  readonly agrees?: boolean;
} {
  const { document, input: _, ...rest } = trace;
  return { event: document, ...rest };
}
