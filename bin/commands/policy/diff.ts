// `sallyport policy diff`: what changes between two documents.
import { diff } from '#policy/analyse/diff';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { openPolicy, printJson, printLines, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy diff', argv, { json: { type: 'boolean', default: false } });
  if (parsed === undefined) return EXIT.usage;
  const [before, after, ...more] = parsed.positionals;
  if (before === undefined || after === undefined || more.length > 0) {
    wrongUsage('diff', 'name two documents, the old one first');
    return EXIT.usage;
  }
  const [was, is] = [openPolicy('diff', before), openPolicy('diff', after)];
  if (was === undefined || is === undefined) return EXIT.usage;
  const difference = diff(was, is);
  const { rules, definitions, apps, decisions, probes } = difference;
  if (parsed.values.json) {
    printJson(difference);
  } else {
    const list = (what: string, names: readonly string[]): string[] =>
      names.length === 0 ? [] : [`${what}: ${names.join(', ')}`];
    printLines([
      ...list('rules added', rules.added),
      ...list('rules removed', rules.removed),
      ...list('rules changed', rules.changed),
      ...list('definitions changed', definitions),
      ...list('apps added', apps.added),
      ...list('apps removed', apps.removed),
      ...decisions.map(({ app, change, before: from, after: to, example }) => {
        const { subject, target } = example;
        const who = [`${subject.kind} ${subject.id}`, ...subject.groups, ...subject.roles].join(', ');
        return `${change}: ${app}, from ${from} to ${to}; for example ${who}: ${target.method ?? 'tcp'} ${target.path ?? ''}`;
      }),
      `${decisions.length === 0 ? 'no decision differs' : `${decisions.length} kinds of decision differ`} in ${probes} probes`,
    ]);
  }
  return decisions.length === 0 ? EXIT.ok : EXIT.no;
}
