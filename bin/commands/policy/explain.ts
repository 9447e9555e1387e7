// `sallyport policy explain`: a described or recorded request, decided by a document and explained.
import type { Explanation, Remedy } from '#policy/decision';
import { formatProblems, readDocument } from '#policy/document';
import type { AccessRequest } from '#policy/input';
import { checkDescribed } from '#policy/language/described';
import { parseInstant, requestOf } from '#policy/language/request';
import { requestSchema } from '#policy/language/schema';
import { readDecision } from '#policy/recorded';
import { formatDuration } from '#policy/time/duration';
import { findEvent } from '#siem/outbox/read';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { openPolicy, outboxOf, printJson, printLines, type ReadPolicy, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy explain', argv, {
    request: { type: 'string' },
    decision: { type: 'string' },
    state: { type: 'string' },
    at: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { request: described, decision: id, state, at, json } = parsed.values;
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0 || (described === undefined) === (id === undefined)) {
    wrongUsage('explain', 'name one document, and either --request or --decision');
    return EXIT.usage;
  }
  const reading = openPolicy('explain', file);
  if (reading === undefined) return EXIT.usage;
  const found =
    described === undefined ? await recorded(id ?? '', state) : fromDescription(described, at, reading);
  const request = found === undefined || described !== undefined ? found : movedTo(found, at, reading);
  if (request === undefined) return EXIT.usage;
  const explanation = reading.policy.explain(request);
  if (json) printJson({ request, explanation });
  else printLines(explained(explanation, request));
  return explanation.decision.verdict === 'allow' ? EXIT.ok : EXIT.no;
}

function fromDescription(
  text: string,
  at: string | undefined,
  { document }: ReadPolicy,
): AccessRequest | undefined {
  const described = readDocument(requestSchema, text, '--request');
  const problems = described.ok
    ? checkDescribed(described.value, document, described.locate, '--request')
    : described.problems;
  if (!described.ok || problems.length > 0) {
    process.stderr.write(`${formatProblems(problems)}\n`);
    return undefined;
  }
  const when = instantOf(at ?? described.value.at, document.zone);
  return when === undefined ? undefined : requestOf(described.value, document, when);
}

async function recorded(id: string, state: string | undefined): Promise<AccessRequest | undefined> {
  if (state === undefined) {
    wrongUsage('explain', '--decision needs --state DIR, where it was recorded');
    return undefined;
  }
  const outbox = outboxOf('explain', state);
  if (outbox === undefined) return undefined;
  const decision = readDecision(await findEvent(outbox, id));
  if (decision !== undefined && decision !== 'other') return decision.input;
  process.stderr.write(`sallyport policy explain: no recorded decision has the id ${id}\n`);
  return undefined;
}

function movedTo(
  request: AccessRequest,
  at: string | undefined,
  { document }: ReadPolicy,
): AccessRequest | undefined {
  if (at === undefined) return request;
  const when = instantOf(at, document.zone);
  return when === undefined ? undefined : { ...request, at: when };
}

function instantOf(text: string | undefined, zone: string | undefined): number | undefined {
  if (text === undefined) return Date.now();
  try {
    return parseInstant(text, zone);
  } catch (error) {
    wrongUsage('explain', `${JSON.stringify(text)} is not one instant: ${(error as Error).message}`);
    return undefined;
  }
}

function explained(
  { decision, nearest, remedy }: Explanation,
  { subject, target, at }: AccessRequest,
): string[] {
  const by = decision.rule === undefined ? decision.reason : `${decision.reason}: ${decision.rule.id}`;
  const because = decision.rule?.because === undefined ? [] : [`  because: ${decision.rule.because}`];
  const shadow = (decision.shadow ?? []).map(({ rule, would }) => `  shadow rule ${rule}: would ${would}`);
  const what = [target.method, target.app + (target.path ?? '')]
    .filter((part) => part !== undefined)
    .join(' ');
  return [
    `${decision.verdict.toUpperCase()} (${by})`,
    `  ${subject.kind} ${subject.id}, ${what}, ${new Date(at).toISOString()}`,
    ...because,
    ...shadow,
    ...nearest.flatMap(({ rule, effect, unmet, met }) => [
      `${effect} rule ${rule}${met.length === 0 ? '' : `  (passes: ${met.join(', ')})`}`,
      ...unmet.map(
        ({ criterion, code, need, have }) => `    ${criterion}: needs ${need}; has ${have}  [${code}]`,
      ),
    ]),
    ...(decision.verdict === 'allow' ? [] : [`What would help: ${remedyText(remedy)}`]),
  ];
}

function remedyText(remedy: Remedy): string {
  if (remedy.kind === 'none') return 'nothing the person can do';
  const next =
    remedy.next === undefined || remedy.next.kind === 'none' ? '' : `, then ${remedyText(remedy.next)}`;
  switch (remedy.kind) {
    case 'step-up': {
      const strong = remedy.phishingResistant === true ? ' with a security key' : '';
      const level = remedy.acr === undefined ? '' : ` at level ${remedy.acr}`;
      const { maxAge = 0 } = remedy;
      const fresh = maxAge === 0 ? '' : ` (a login no older than ${formatDuration(maxAge)})`;
      return `sign in again${strong}${level}${fresh}${next}`;
    }
    case 'enrol-device':
      return `enrol the device${next}`;
    case 'mend-device':
      return `mend the device${next}`;
    case 'mend-connector':
      return `mend a connector that serves the app${next}`;
    case 'wait-until':
      return `wait until ${new Date(remedy.at).toISOString()}${next}`;
    case 'request-access':
      return `request access${next}`;
  }
}
