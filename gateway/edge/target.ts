// The request target in its one canonical form. What could be read as another path is refused, not repaired.
import { MAX_TARGET } from './limits.ts';
import type { Refusal } from './refusals.ts';

export type Target =
  | { readonly ok: true; readonly path: string; readonly query: string }
  | { readonly ok: false; readonly refusal: Refusal };

/** RFC 3986 pchar and "/", without "%": those are looked at one by one. */
const PATH_CHARACTERS = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*$/;
/** Browsers send these as they are (WHATWG URL 1.3); RFC 3986 has them encoded, and so are they decided on and forwarded. */
const LEFT_RAW = /[[\]|]/g;
/** Queries in the wild carry more than RFC 3986 lets them; visible ASCII without "#" is unambiguous. */
const QUERY_CHARACTERS = /^[\x21\x22\x24-\x7e]*$/;
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/** A character of ASCII in more bytes than it needs: no UTF-8, but old decoders take `%C0%AE` for a dot. */
const OVERLONG = /%C[01]%[89AB]|%E0%[89]|%F0%8|%F8%8[0-7]|%FC%8[0-3]/i;

/** `authority` is the Host header as sent: an absolute-form target is accepted only for that same host. */
export function canonicalTarget(target: string, authority: string): Target {
  if (target.length > MAX_TARGET) return refuse('target-too-long');
  let rest = target;
  if (!rest.startsWith('/')) {
    const absolute = /^https:\/\/([^/?#]*)(\/.*)?$/i.exec(rest);
    if (absolute === null) return refuse('target-form');
    if (absolute[1]?.toLowerCase() !== authority.toLowerCase()) return refuse('target-other-host');
    rest = absolute[2] ?? '/';
  }
  if (rest.includes('#')) return refuse('path-fragment');
  const mark = rest.indexOf('?');
  const sent = mark === -1 ? rest : rest.slice(0, mark);
  const path = sent.replace(LEFT_RAW, (character) => encodeURIComponent(character));
  const query = mark === -1 ? '' : rest.slice(mark);
  if (path.includes('\\')) return refuse('path-backslash');
  if (!PATH_CHARACTERS.test(path)) return refuse('path-character');
  if (query !== '' && !QUERY_CHARACTERS.test(query)) return refuse('query-character');
  return canonicalPath(path, query);
}

function canonicalPath(path: string, query: string): Target {
  let canonical = path;
  if (path.includes('%')) {
    // An undecodable "%", an encoded delimiter or control byte, or a second layer of encoding is where a back end
    // that decodes differently would see another path.
    if (/%(?![0-9A-Fa-f]{2})/.test(path)) return refuse('path-encoding');
    if (/%(?:2f|5c)/i.test(path)) return refuse('path-encoded-delimiter');
    if (/%(?:[01][0-9a-f]|7f)/i.test(path)) return refuse('path-character');
    if (OVERLONG.test(path)) return refuse('path-encoding');
    canonical = path.replace(/%[0-9A-Fa-f]{2}/g, (encoded) => {
      const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
      return UNRESERVED.test(character) ? character : encoded.toUpperCase();
    });
    // Only now: `%25%32%65` has become a second layer just above.
    if (/%25[0-9a-f]{2}/i.test(canonical)) return refuse('path-encoding');
  }
  // `/;x/` is an empty segment to servers that cut path parameters off, as `/..;x/` is a dot segment to them.
  if (/\/(?:\/|;|%3B)/.test(canonical)) return refuse('path-empty-segment');
  if (/\/\.{1,2}(?:[/;]|%3B|$)/.test(canonical)) return refuse('path-dot-segment');
  return { ok: true, path: canonical, query };
}

function refuse(refusal: Refusal): Target {
  return { ok: false, refusal };
}
