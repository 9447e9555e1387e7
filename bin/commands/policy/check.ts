// `sallyport policy check`: everything wrong with a document, its tests, and rules that do nothing.
import { lint } from '#policy/analyse/lint';
import { formatProblems } from '#policy/document';
import { readPolicy } from '#policy/read';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { printJson, printLines, readText, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy check', argv, {
    strict: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  const { strict, json } = parsed.values;
  if (file === undefined || more.length > 0) {
    wrongUsage('check', 'name one document');
    return EXIT.usage;
  }
  const text = readText('check', file);
  if (text === undefined) return EXIT.usage;
  const reading = readPolicy(text, file);
  if (!reading.ok) {
    if (json) printJson({ ok: false, problems: reading.problems });
    else process.stderr.write(`${formatProblems(reading.problems)}\n`);
    return EXIT.no;
  }
  const { policy, document, warnings, tests, failures } = reading;
  const findings = lint(policy, { now: Date.now() });
  const ok = failures.length === 0 && !(strict && warnings.length + findings.length > 0);
  if (json) {
    const failed = tests.filter(({ passed }) => !passed).length;
    const counts = { passed: tests.length - failed, failed };
    printJson({ ok, hash: policy.hash, problems: failures, warnings, tests: counts, lint: findings });
  } else {
    if (failures.length > 0) process.stderr.write(`${formatProblems(failures)}\n`);
    printLines([
      ...warnings.map((warning) => `warning: ${formatProblems([warning])}`),
      ...findings.map(({ rule, code, message }) => `lint: ${file}: rule \`${rule}\` ${code}: ${message}`),
      `${file}: ${document.rules.length} rules for ${document.apps.length} apps, ${tests.length - failures.length} of ${tests.length} tests pass, hash ${policy.hash.slice(0, 12)}`,
    ]);
  }
  return ok ? EXIT.ok : EXIT.no;
}
