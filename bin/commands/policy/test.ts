// `sallyport policy test`: the document's own tests.
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { openPolicy, printJson, printLines, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy test', argv, { json: { type: 'boolean', default: false } });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0) {
    wrongUsage('test', 'name one document');
    return EXIT.usage;
  }
  const reading = openPolicy('test', file);
  if (reading === undefined) return EXIT.usage;
  const { tests } = reading;
  const failed = tests.filter(({ passed }) => !passed);
  if (parsed.values.json) {
    printJson({ passed: tests.length - failed.length, failed: failed.length, results: tests });
  } else {
    printLines([
      ...tests.map(({ name, passed, failure }) => (passed ? `ok    ${name}` : `FAIL  ${name}: ${failure}`)),
      tests.length === 0
        ? `${file} has no tests; add some under \`tests:\``
        : `${tests.length - failed.length} of ${tests.length} tests pass`,
    ]);
  }
  return failed.length === 0 ? EXIT.ok : EXIT.no;
}
