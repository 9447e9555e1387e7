// Path patterns of REST routes (`/users/{id}`, `/api/**`). An allow rule reads a path to the letter, a deny rule
// as a lenient application might (`/Admin;x=1/` is `/admin`), so that no spelling slips past a deny.

/** A second layer of encoding, or ASCII in more bytes than it needs (`%C0%AE` for a dot): old decoders read on. */
const READ_TWICE = /%25[0-9A-F]{2}|%C[01]%[89AB]|%E0%[89]|%F0%8|%F8%8[0-7]|%FC%8[0-3]/i;

/** Any path that the edge should have refused, or that is not a path (`*` of `OPTIONS *`), is no known fact. */
export function isCanonicalPath(path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index);
    if (PATH_CHARACTER[code] !== 1) return false;
    if (code === PERCENT && !isPlainEscape(path, index)) return false;
    if (code === SLASH && isTrap(path, index + 1)) return false;
  }
  return !(path.includes('%') && READ_TWICE.test(path));
}

/** The path in lower case, decoded, without path parameters, empty segments or a slash at the end. */
export function foldPath(path: string): string {
  if (!needsFolding(path)) return path;
  const plain = path.includes('%') ? decoded(path) : path;
  const segments = plain.split('/').map((segment) => segment.split(';', 1)[0] ?? '');
  return `/${segments
    .filter((segment) => segment !== '')
    .map(foldSegment)
    .join('/')}`;
}

/** What is no UTF-8 becomes the same sign in a path and in a pattern: a deny may hold for more, and never for less. */
function decoded(path: string): string {
  return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, (encoded) =>
    Buffer.from(encoded.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Letters that only look different (full width, the Kelvin sign) are one, unless that made two segments of one. */
function foldSegment(segment: string): string {
  const folded = segment.normalize('NFKC').toLowerCase();
  return folded.includes('/') ? segment.toLowerCase() : folded;
}

/** One compiled pattern. `null` in place of a segment stands for any one segment. */
export class PathPattern {
  readonly text: string;
  readonly segments: readonly (string | null)[];
  /** Whether the pattern ends in `/**`: everything below, and the place itself. */
  readonly open: boolean;
  /** Whether it is to be matched against folded paths. */
  readonly folded: boolean;

  /** The text must have passed `patternFault`. */
  constructor(text: string, folded: boolean) {
    this.text = text;
    this.folded = folded;
    const parts = text.split('/').slice(1);
    this.open = parts.at(-1) === '**';
    if (this.open) parts.pop();
    if (folded && parts.at(-1) === '') parts.pop();
    this.segments = parts.map((part) =>
      isWildcard(part) ? null : folded ? foldPath(`/${part}`).slice(1) : part,
    );
  }

  /** Whether `path`, which starts with a slash, is one this pattern describes. */
  matches(path: string): boolean {
    let position = 0;
    for (const segment of this.segments) {
      if (path.charCodeAt(position) !== SLASH) return false;
      position += 1;
      if (segment === null) {
        const end = path.indexOf('/', position);
        const stop = end < 0 ? path.length : end;
        if (stop === position) return false;
        position = stop;
      } else {
        if (!path.startsWith(segment, position)) return false;
        position += segment.length;
      }
    }
    if (position === path.length) return true;
    if (this.open) return path.charCodeAt(position) === SLASH;
    return this.segments.length === 0 && path.length === 1;
  }

  /** Whether every path that `other` describes is described by this pattern too. */
  covers(other: PathPattern): boolean {
    if (other.folded && !this.folded) return false;
    if (!this.open && (other.open || other.segments.length !== this.segments.length)) return false;
    if (other.segments.length < this.segments.length) return false;
    return this.segments.every((segment, index) => {
      const theirs = other.segments[index] ?? null;
      if (segment === null) return theirs !== '';
      return theirs !== null && segment === (this.folded ? foldPath(`/${theirs}`).slice(1) : theirs);
    });
  }
}

/** Why a text is no path pattern that could ever match, or undefined when it is one. */
export function patternFault(text: string): string | undefined {
  if (!text.startsWith('/')) return 'a path pattern starts with `/`';
  const parts = text.split('/').slice(1);
  const inner = parts.slice(0, -1);
  if (inner.includes('**')) return '`**` is only possible as the last segment';
  if (inner.includes('')) return 'an empty segment (`//`) never reaches an app';
  for (const part of parts) {
    if (part === '**' || isWildcard(part)) continue;
    if (/[*{}]/.test(part))
      return `\`*\` and \`{name}\` stand for a whole segment, not for a part of \`${part}\``;
  }
  const sample = `/${parts.map((part) => (part === '**' || isWildcard(part) ? 'x' : part)).join('/')}`;
  if (isCanonicalPath(sample)) return undefined;
  return 'such a path is refused before it is decided on (query, fragment, backslash, dot segment, space or needless %-escape)';
}

const SLASH = 47;
const BACKSLASH = 92;
const PERCENT = 37;
const DOT = 46;
const SEMICOLON = 59;

/** RFC 3986 pchar, `/` and `%`: 1 at their codes. */
const PATH_CHARACTER: Uint8Array = new Uint8Array(128);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/%")
  PATH_CHARACTER[character.charCodeAt(0)] = 1;

function isWildcard(part: string): boolean {
  return part === '*' || /^\{[A-Za-z_][\w-]*\}$/.test(part);
}

/** Upper-case %XX that stands for neither a control, a slash, a backslash nor an unreserved character. */
function isPlainEscape(path: string, index: number): boolean {
  const high = upperHex(path.charCodeAt(index + 1));
  const low = upperHex(path.charCodeAt(index + 2));
  if (high < 0 || low < 0) return false;
  const code = high * 16 + low;
  if (code < 0x20 || code === 0x7f || code === SLASH || code === BACKSLASH) return false;
  const letter = code | 32;
  const unreserved =
    (letter >= 97 && letter <= 122 && code < 0x80 && code >= 0x41) ||
    (code >= 48 && code <= 57) ||
    code === 45 ||
    code === DOT ||
    code === 95 ||
    code === 126;
  return !unreserved;
}

function upperHex(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 65 && code <= 70 ? code - 55 : -1;
}

/**
 * Whether the segment that starts here is empty (but not the last), `.`, `..`, or one of those with path
 * parameters, which some application servers strip before they resolve dot segments (`/..;/admin`).
 */
function isTrap(path: string, start: number): boolean {
  if (path.charCodeAt(start) === SLASH) return true;
  let end = start;
  while (end < start + 2 && path.charCodeAt(end) === DOT) end += 1;
  const next = path.charCodeAt(end);
  if (next === SEMICOLON || path.startsWith('%3B', end)) return true;
  return end > start && (Number.isNaN(next) || next === SLASH);
}

function needsFolding(path: string): boolean {
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index);
    if ((code >= 65 && code <= 90) || code === PERCENT || code === SEMICOLON) return true;
  }
  return path.length > 1 && path.charCodeAt(path.length - 1) === SLASH;
}
