// Who belongs to what: nested groups flattened once per subject, so that decisions only test bits. Names that a
// provider sends must never be mistaken for groups, roles or people that the document defines.
import type { Subject } from '../input.ts';

/** Everyone who signed in as a person; services must be named. */
export const EVERYONE = 'everyone';
/** Prefixes with a meaning of their own; no identity provider may be called so. */
export const RESERVED_PREFIXES: ReadonlySet<string> = new Set(['user', 'service', 'role', 'group']);

/** Groups as documents define them: name to members. */
export type Groups = Readonly<Record<string, { readonly members: readonly string[] }>>;

export class Directory {
  /** Selector (normalised) to the groups it is a direct member of. */
  readonly #parents: Map<string, string[]> = new Map();
  readonly #bits: Map<string, number> = new Map();
  /** Service selectors that end in `*`, as the prefix before it and the selector itself. */
  readonly #patterns: Map<string, string> = new Map();

  constructor(groups: Groups) {
    for (const [group, { members }] of Object.entries(groups)) {
      for (const member of members) {
        const key = normalised(member);
        this.#note(key);
        const parents = this.#parents.get(key);
        if (parents === undefined) this.#parents.set(key, [group]);
        else parents.push(group);
      }
    }
  }

  /** The bit that stands for a selector in every set this directory makes from now on. */
  bitOf(selector: string): number {
    const key = normalised(selector);
    this.#note(key);
    const known = this.#bits.get(key);
    if (known !== undefined) return known;
    const bit = this.#bits.size;
    this.#bits.set(key, bit);
    return bit;
  }

  /** The selectors among those that have a bit which `subject` satisfies. */
  selectorsOf(subject: Subject): Uint32Array {
    const set = new Uint32Array(Math.ceil(this.#bits.size / 32));
    for (const name of this.#above(this.#atomsOf(subject))) {
      const bit = this.#bits.get(name);
      if (bit !== undefined) set[bit >>> 5] = (set[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
    return set;
  }

  /** Names of all selectors and groups that `subject` satisfies, for reports. */
  namesOf(subject: Subject): string[] {
    return [...this.#above(this.#atomsOf(subject))].sort();
  }

  /** Whether everyone whom `inner` selects is surely selected by `outer`. */
  includes(outer: string, inner: string): boolean {
    const start = normalised(inner);
    const atoms = [start, ...this.#patternsOver(start)];
    if (start.startsWith('user:')) atoms.push(EVERYONE);
    return this.#above(atoms).has(normalised(outer));
  }

  /** A subject that `selector` selects and that has nothing else, for probes; itself where a group is empty. */
  exampleOf(selector: string): Subject {
    const nobody: Subject = { kind: 'user', id: 'example', groups: [], roles: [] };
    let atom = normalised(selector);
    const tried = new Set<string>();
    while (!atom.includes(':') && atom !== EVERYONE && !tried.has(atom)) {
      tried.add(atom);
      const members = [...this.#parents]
        .filter(([, groups]) => groups.includes(atom))
        .map(([member]) => member);
      atom =
        members.find((member) => member.includes(':')) ??
        members.find((member) => !tried.has(member)) ??
        atom;
    }
    const rest = atom.slice(atom.indexOf(':') + 1);
    if (atom === EVERYONE) return nobody;
    if (atom.startsWith('user:'))
      return rest.includes('@') ? { ...nobody, email: rest } : { ...nobody, id: rest };
    if (atom.startsWith('service:'))
      return { ...nobody, kind: 'service', id: rest.replace(/\*$/, 'example') };
    if (atom.startsWith('role:')) return { ...nobody, roles: [rest] };
    return { ...nobody, groups: [atom] };
  }

  #note(key: string): void {
    if (key.startsWith('service:') && key.endsWith('*')) this.#patterns.set(key.slice(0, -1), key);
  }

  #patternsOver(key: string): string[] {
    if (!key.startsWith('service:')) return [];
    return [...this.#patterns].filter(([prefix]) => key.startsWith(prefix)).map(([, selector]) => selector);
  }

  #atomsOf(subject: Subject): string[] {
    const atoms = subject.groups.filter((group) => {
      const prefix = group.split(':', 1)[0] ?? '';
      return prefix !== group && !RESERVED_PREFIXES.has(prefix);
    });
    for (const role of subject.roles) atoms.push(`role:${role}`);
    if (subject.kind === 'user') {
      atoms.push(EVERYONE, normalised(`user:${subject.id}`));
      if (subject.email !== undefined) atoms.push(normalised(`user:${subject.email}`));
    } else {
      const key = `service:${subject.id}`;
      atoms.push(key, ...this.#patternsOver(key));
    }
    return atoms;
  }

  /** The atoms and every group they are in, directly or through other groups; cycles end by themselves. */
  #above(atoms: readonly string[]): Set<string> {
    const found = new Set(atoms);
    for (const name of found) for (const parent of this.#parents.get(name) ?? []) found.add(parent);
    return found;
  }
}

/** `group:` is the long form of a local group; e-mail addresses are compared without case. */
function normalised(selector: string): string {
  if (selector.startsWith('group:')) return selector.slice('group:'.length);
  const isEmail = selector.startsWith('user:') && selector.includes('@') && !selector.includes('#');
  return isEmail ? selector.toLowerCase() : selector;
}
