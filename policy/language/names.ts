// Names in a document that refer to something else in it, and how a finding about them is reported.
import { nearest, type Path } from '../document.ts';
import { EVERYONE } from '../subject/directory.ts';
import type { Definitions } from './document.ts';

/** Adds a finding at `path`; `key` puts it on the key instead of the value. `meant`: the names of which a mistyped word may be one. */
export type Report = (
  path: Path,
  message: string,
  options?: { meant?: { word: string; known: ReadonlySet<string> }; key?: boolean },
) => void;

/** Every name a document defines, by section. */
export interface Names {
  readonly apps: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly networks: ReadonlySet<string>;
  readonly devices: ReadonlySet<string>;
  readonly hours: ReadonlySet<string>;
  readonly workloads: ReadonlySet<string>;
}

export function namesOf(definitions: Definitions, apps: readonly string[]): Names {
  const keys = (section: object | undefined): ReadonlySet<string> => new Set(Object.keys(section ?? {}));
  const { groups, networks, devices, hours, workloads } = definitions;
  return {
    apps: new Set(apps),
    groups: new Set([...Object.keys(groups ?? {}), EVERYONE]),
    networks: keys(networks),
    devices: keys(devices),
    hours: keys(hours),
    workloads: keys(workloads),
  };
}

/** Reports a name that nothing defines. */
export function checkName(
  name: string,
  known: ReadonlySet<string>,
  kind: string,
  path: Path,
  report: Report,
): void {
  if (known.has(name)) return;
  const few = known.size > 0 && known.size <= 8 && nearest(name, known) === undefined;
  report(path, `unknown ${kind} \`${name}\`${few ? `; known: ${[...known].join(', ')}` : ''}`, {
    meant: { word: name, known },
  });
}

/** A selector without a prefix, or with `group:`, names a group of this document. */
export function checkSelector(selector: string, names: Names, path: Path, report: Report): void {
  const local = selector.startsWith('group:') ? selector.slice('group:'.length) : selector;
  if (local !== selector || !selector.includes(':')) {
    checkName(local, names.groups, 'group', path, report);
  } else if (selector.startsWith('service:')) {
    const star = selector.indexOf('*');
    const last = star === selector.length - 1 && (selector.endsWith('/*') || selector === 'service:*');
    if (star >= 0 && !last)
      report(path, `\`${selector}\`: \`*\` is only possible alone or after the last \`/\``);
  } else if (selector.includes('*')) {
    report(path, `\`${selector}\`: \`*\` is only possible in \`service:\``);
  }
}
