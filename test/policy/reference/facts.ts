// The reference's own reading of addresses, paths, times and versions, on means the product does not use: URL,
// net.BlockList, RegExp and Temporal. Each function answers true, false, or undefined for "unknown".
import { BlockList, isIP } from 'node:net';
import { many, type WrittenWindow } from './written.ts';

export type Known = boolean | undefined;

export function milliseconds(duration: string): number {
  const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
  return [...duration.matchAll(/(\d+)([dhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? Number.NaN),
    0,
  );
}

/** Whether something happened at most `duration` before `at`; nothing happens more than a minute from now. */
export function happenedWithin(at: number, then: number | undefined, duration: string): Known {
  if (then === undefined || !isTime(at) || Number.isNaN(then) || then - at > 60_000) return undefined;
  return at - then <= milliseconds(duration);
}

export function isTime(at: number): boolean {
  return at >= 0 && at < Date.parse('+010000-01-01T00:00:00Z');
}

/** IPv4, or the WHATWG URL parser's canonical IPv6. */
function canonical(text: string): string | undefined {
  if (text.includes('%') || isIP(text) === 0) return undefined;
  if (isIP(text) === 4) return text;
  const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host;
  const words = mapped.slice(1).map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 255]).join('.');
}

export function inNetworks(address: string, cidrs: readonly string[]): Known {
  const text = canonical(address);
  if (text === undefined) return undefined;
  return cidrs.some((cidr) => {
    const [base = '', length] = cidr.split('/');
    const family = isIP(base) === 4 ? 'ipv4' : 'ipv6';
    if ((isIP(text) === 4) !== (family === 'ipv4')) return false;
    const list = new BlockList();
    list.addSubnet(base, Number(length ?? (family === 'ipv4' ? 32 : 128)), family);
    return list.check(text, family);
  });
}

const ESCAPE = /%([0-9A-F]{2})/g;
/** Decoded characters that a canonical path never has escaped: slashes, unreserved, and ASCII controls. */
const NEEDLESS = /^[/\\A-Za-z0-9\-._~]$/;

function isCanonical(path: string): boolean {
  if (!/^\/[\x21-\x7e]*$/.test(path) || /[\\#?"<>[\]^`{|}]/.test(path)) return false;
  if (/%/.test(path.replace(ESCAPE, ''))) return false;
  for (const [, digits] of path.matchAll(ESCAPE)) {
    const code = Number.parseInt(digits ?? '', 16);
    if (code < 32 || code === 127 || NEEDLESS.test(String.fromCharCode(code))) return false;
  }
  // What is no UTF-8 because a character of ASCII has more bytes than it needs, and what decodes to escapes again.
  const once = decoded(path);
  if (/[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]/.test(once)) return false;
  if (/%25[0-9A-Fa-f]{2}/.test(path)) return false;
  const segments = path.split('/').slice(1);
  return segments.every((segment, index) => {
    if (segment === '') return index === segments.length - 1;
    return !/^\.{0,2}(;|%3B|$)/.test(segment);
  });
}

function decoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function expression(pattern: string, lenient: boolean): RegExp {
  const open = pattern.endsWith('/**');
  const body = (open ? pattern.slice(0, -3) : pattern)
    .split('/')
    .slice(1)
    .filter((segment) => !lenient || segment !== '')
    .map((segment) => {
      if (segment === '*' || /^\{.*\}$/.test(segment)) return '/[^/]+';
      const literal = lenient ? decoded(segment).replace(/;.*$/, '') : segment;
      return `/${literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
    })
    .join('');
  const plain = lenient && body === '' && !open ? '/' : body;
  return new RegExp(`^${plain}${open ? '(/.*)?' : ''}$`, lenient ? 'is' : 's');
}

/** A deny is read as a lenient application reads paths; an allow to the letter. */
export function pathMatches(path: string | undefined, patterns: readonly string[], lenient: boolean): Known {
  if (path === undefined || !isCanonical(path)) return undefined;
  const segments = decoded(path)
    .split('/')
    .map((segment) => segment.replace(/;.*$/s, ''));
  const text = lenient ? `/${segments.filter((segment) => segment !== '').join('/')}` : path;
  return patterns.some((pattern) => expression(pattern, lenient).test(text));
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

function coversDay(days: readonly string[], dayOfWeek: number): boolean {
  return days.some((range) => {
    const [first = '', last = first] = range.split('-').map((day) => DAYS.indexOf(day) + 1);
    const from = Number(first);
    const to = Number(last);
    return from <= to ? dayOfWeek >= from && dayOfWeek <= to : dayOfWeek >= from || dayOfWeek <= to;
  });
}

/** Whether local time is in a window that started today or yesterday. */
export function inWindow(at: number, window: WrittenWindow, zone: string): Known {
  if (!isTime(at)) return undefined;
  const now = Temporal.Instant.fromEpochMilliseconds(Math.floor(at))
    .toZonedDateTimeISO(window.zone ?? zone)
    .toPlainDateTime();
  const midnight = (text: string): boolean => text === '24:00';
  return [0, 1].some((daysAgo) => {
    const day = now.toPlainDate().subtract({ days: daysAgo });
    if (!coversDay(many(window.days ?? 'mon-sun'), day.dayOfWeek)) return false;
    const start = day.toPlainDateTime(window.from);
    const overnight = midnight(window.to) || window.to <= window.from;
    const end = (overnight ? day.add({ days: 1 }) : day).toPlainDateTime(
      midnight(window.to) ? '00:00' : window.to,
    );
    return Temporal.PlainDateTime.compare(start, now) <= 0 && Temporal.PlainDateTime.compare(now, end) < 0;
  });
}

/** Versions as strings padded so that text order is number order. */
export function isAtLeast(version: string | undefined, minimum: string): Known {
  if (version === undefined || !/^\d{1,9}(\.\d{1,9}){0,7}$/.test(version)) return undefined;
  const padded = (text: string): string =>
    [...text.split('.'), ...Array<string>(8).fill('0')]
      .slice(0, 8)
      .map((part) => part.padStart(10, '0'))
      .join();
  return padded(version) >= padded(minimum);
}
