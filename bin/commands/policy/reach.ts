// `sallyport policy reach`: who can reach an app, and what somebody can reach.
import { type Way, waysInto, waysOf } from '#policy/analyse/reach';
import { nearest } from '#policy/document';
import type { Subject } from '#policy/input';
import { groupFault } from '#policy/language/check-tests';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { openPolicy, printJson, printLines, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy reach', argv, {
    app: { type: 'string' },
    user: { type: 'string' },
    group: { type: 'string', multiple: true, default: [] },
    role: { type: 'string', multiple: true, default: [] },
    service: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { app, user, group, role, service, json } = parsed.values;
  const [file, ...more] = parsed.positionals;
  const somebody = user !== undefined || service !== undefined || group.length + role.length > 0;
  if (
    file === undefined ||
    more.length > 0 ||
    (app !== undefined) === somebody ||
    (user !== undefined && service !== undefined)
  ) {
    wrongUsage('reach', 'name one document, and either --app, or who: --user, --group, --role or --service');
    return EXIT.usage;
  }
  const reading = openPolicy('reach', file);
  if (reading === undefined) return EXIT.usage;
  const { policy, document } = reading;
  const fault = group.map((one) => groupFault(one, document)).find((one) => one !== undefined);
  if (fault !== undefined) {
    wrongUsage('reach', fault);
    return EXIT.usage;
  }
  const subject: Subject = {
    kind: service === undefined ? 'user' : 'service',
    id: service ?? user ?? 'somebody',
    ...(user?.includes('@') ? { email: user } : {}),
    groups: group,
    roles: role,
  };
  const ways = app === undefined ? waysOf(policy, subject) : waysInto(policy, app);
  if (ways === undefined) {
    const near = nearest(app ?? '', policy.apps);
    wrongUsage(
      'reach',
      `the document has no app \`${app}\`${near === undefined ? '' : ` (did you mean \`${near}\`?)`}`,
    );
    return EXIT.usage;
  }
  if (json) printJson({ ways });
  else printLines(ways.length === 0 ? ['nobody and nothing'] : ways.flatMap((way) => wayText(way)));
  return ways.length === 0 ? EXIT.no : EXIT.ok;
}

function wayText({ app, rule, who, conditions, except }: Way): string[] {
  const alternatives = conditions.filter((text) => text !== '');
  return [
    `${app}: ${who.join(', ')}  (rule ${rule})`,
    ...alternatives.map((text, index) => `    ${index === 0 ? 'if' : 'or'} ${text}`),
    ...(except.length === 0 ? [] : [`    except what is denied by ${except.join(', ')}`]),
  ];
}
