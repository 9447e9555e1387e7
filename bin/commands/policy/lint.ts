// `sallyport policy lint`: rules that do nothing, or that neither a test nor traffic ever hit.
import { lint, rulesHit } from '#policy/analyse/lint';
import { testRequests } from '#policy/tests';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import {
  openPolicy,
  outboxOf,
  printJson,
  printLines,
  recordedDecisions,
  sinceOf,
  wrongUsage,
} from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy lint', argv, {
    state: { type: 'string' },
    since: { type: 'string', default: '30d' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0) {
    wrongUsage('lint', 'name one document');
    return EXIT.usage;
  }
  const reading = openPolicy('lint', file);
  if (reading === undefined) return EXIT.usage;
  const { policy, document, warnings } = reading;
  const requests = testRequests(document.tests ?? [], document);
  const hit = new Set(requests.flatMap((request) => rulesHit(policy, request)));
  const { state, since: sinceText, json } = parsed.values;
  if (state !== undefined) {
    const outbox = outboxOf('lint', state);
    const since = sinceOf('lint', sinceText, Date.now());
    if (outbox === undefined || since === undefined) return EXIT.usage;
    for await (const recorded of recordedDecisions(outbox, since)) {
      if (recorded !== undefined) for (const id of rulesHit(policy, recorded.input)) hit.add(id);
    }
  }
  const findings = lint(policy, { now: Date.now(), hit });
  if (json) {
    printJson({ findings, warnings });
  } else {
    printLines([
      ...warnings.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`),
      ...findings.map(({ rule, code, message }) => `${file}: rule \`${rule}\` ${code}: ${message}`),
      ...(findings.length + warnings.length === 0 ? [`${file}: nothing found`] : []),
    ]);
  }
  return findings.length + warnings.length === 0 ? EXIT.ok : EXIT.no;
}
