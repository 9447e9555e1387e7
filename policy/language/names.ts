// Names in a document that refer to something else in it, and how a finding about them is reported.
import { nearest, type Path } from '../document.ts';
import { EVERYONE } from '../subject/directory.ts';
import type { PolicyDocument } from './document.ts';

/** Adds a finding at `path`; `key` puts it on the key instead of the value. */
export type Report = (
  path: Path,
  message: string,
  options?: { suggestion?: string | undefined; key?: boolean },
) => void;

/** Reports a name that nothing defines. */
export function checkName(
  name: string,
  known: Iterable<string>,
  kind: string,
  path: Path,
  report: Report,
): boolean {
  const names = new Set(known);
  if (names.has(name)) return true;
  const suggestion = nearest(name, names);
  const list =
    suggestion === undefined && names.size > 0 && names.size <= 8 ? `; known: ${[...names].join(', ')}` : '';
  report(path, `unknown ${kind} \`${name}\`${list}`, { suggestion });
  return false;
}

/** A selector without a prefix, or with `group:`, names a group of this document. */
export function checkSelector(selector: string, document: PolicyDocument, path: Path, report: Report): void {
  const local = selector.startsWith('group:') ? selector.slice('group:'.length) : selector;
  if (local === EVERYONE && local === selector) return;
  if (local !== selector || !selector.includes(':')) {
    checkName(local, [...Object.keys(document.groups ?? {}), EVERYONE], 'group', path, report);
  } else if (selector.startsWith('service:')) {
    const star = selector.indexOf('*');
    if (star >= 0 && selector !== 'service:*' && (star !== selector.length - 1 || !selector.endsWith('/*'))) {
      report(path, `\`${selector}\`: \`*\` is only possible alone or after the last \`/\``);
    }
  } else if (selector.includes('*')) {
    report(path, `\`${selector}\`: \`*\` is only possible in \`service:\``);
  }
}
