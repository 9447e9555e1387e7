// Mistakes somebody could make in the evaluator.
import type { Mutant } from './run.ts';

export const tests: readonly string[] = [
  'policy/agreement.test.ts',
  'policy/decide.test.ts',
  'policy/criteria',
  'policy/time',
  'policy/net',
  'policy/subject',
];

export const env: Readonly<Record<string, string>> = { SALLYPORT_POLICY_RUNS: '700', SALLYPORT_SHRINK: '0' };

export const mutants: readonly Mutant[] = [
  {
    name: 'an unknown fact no longer meets a deny criterion',
    file: 'policy/rule.ts',
    find: "effect === 'allow' ? TO_ALLOW : TO_DENY",
    replace: 'TO_ALLOW',
  },
  {
    name: 'an unknown fact meets an allow criterion',
    file: 'policy/rule.ts',
    find: "effect === 'allow' ? TO_ALLOW : TO_DENY",
    replace: 'TO_DENY',
  },
  {
    name: 'an unknown fact lifts a deny',
    file: 'policy/evaluate.ts',
    find: '!meetsOne(rule.unless, facts, TO_ALLOW)',
    replace: '!meetsOne(rule.unless, facts, needed)',
  },
  {
    name: 'a deny no longer wins',
    file: 'policy/evaluate.ts',
    find: 'if (deny !== undefined) return deny.decision;',
    replace: '',
  },
  {
    name: 'the last criterion needs more than it should',
    file: 'policy/evaluate.ts',
    find: 'network.truth(box.network, facts) >= needed',
    replace: 'network.truth(box.network, facts) > needed',
  },
  {
    name: 'an age that is exactly the limit fails',
    file: 'policy/criteria/age.ts',
    find: 'truthOf(elapsed <= want)',
    replace: 'truthOf(elapsed < want)',
  },
  {
    name: 'a login in the future counts as fresh',
    file: 'policy/facts.ts',
    find: 'elapsed >= -CLOCK_SKEW',
    replace: 'elapsed >= Number.NEGATIVE_INFINITY',
  },
  {
    name: 'a time that is no time is used',
    file: 'policy/facts.ts',
    find: 'this.at = isInstant(at) ? at : Number.NaN;',
    replace: 'this.at = at;',
  },
  {
    name: 'an interval includes its end',
    file: 'policy/criteria/intervals.ts',
    find: 'value < interval.below',
    replace: 'value <= interval.below',
  },
  {
    name: 'an interval excludes its start',
    file: 'policy/criteria/intervals.ts',
    find: 'value >= interval.atLeast',
    replace: 'value > interval.atLeast',
  },
  {
    name: 'a window over the end of the week is cut off',
    file: 'policy/time/window.ts',
    find: '(day * DAY_MINUTES + from + offset) % WEEK_MINUTES',
    replace: 'day * DAY_MINUTES + from + offset',
  },
  {
    name: 'an overnight window belongs to the day it ends on',
    file: 'policy/time/window.ts',
    find: '(day * DAY_MINUTES + from + offset) %',
    replace: '(day * DAY_MINUTES + from + offset + (to > from ? 0 : 6 * DAY_MINUTES)) %',
  },
  {
    name: 'a range of days lacks its last day',
    file: 'policy/time/window.ts',
    find: '((to - from + 7) % 7) + 1',
    replace: '((to - from + 7) % 7) || 1',
  },
  {
    name: 'the offset of a minute is kept for a neighbouring one',
    file: 'policy/time/zone.ts',
    find: 'const minute = Math.floor(at / MINUTE);',
    replace:
      'const minute = Math.floor(at / MINUTE / 60) * 60 + (Math.floor(at / MINUTE) % 60 === 0 ? 0 : 1);',
  },
  {
    name: 'the last address of a network is outside',
    file: 'policy/net/ranges.ts',
    find: 'else if (value > (ranges[middle * 2 + 1] ?? 0))',
    replace: 'else if (value >= (ranges[middle * 2 + 1] ?? 0))',
  },
  {
    name: 'IPv6 ranges compare their first word only',
    file: 'policy/net/ranges.ts',
    find: 'address.w1 - (ranges[at + 1] ?? 0) ||',
    replace: '',
  },
  {
    name: 'an IPv4-mapped address stays IPv6',
    file: 'policy/net/address.ts',
    find: 'w2 === 0xffff) this.#set(4',
    replace: 'w2 === 0xfffe) this.#set(4',
  },
  {
    name: 'the last address is remembered for the next request',
    file: 'policy/facts.ts',
    find: 'if (text !== this.#addressText) {',
    replace: "if (this.#addressText === '') {",
  },
  {
    name: 'an open path pattern matches its prefix as text',
    file: 'policy/net/path.ts',
    find: 'if (this.open) return path.charCodeAt(position) === SLASH;',
    replace: 'if (this.open) return true;',
  },
  {
    name: 'a dot segment with path parameters is a path',
    file: 'policy/net/path.ts',
    find: "if (next === SEMICOLON || path.startsWith('%3B', end)) return true;",
    replace: '',
  },
  {
    name: 'a deny reads paths to the letter',
    file: 'policy/compile.ts',
    find: "this.#base(document, effect === 'deny')",
    replace: 'this.#base(document, false)',
  },
  {
    name: 'a method in lower case is a known other method',
    file: 'policy/criteria/methods.ts',
    find: 'METHOD.test(method) ? truthOf(false) : UNKNOWN',
    replace: 'truthOf(false)',
  },
  {
    name: 'a rule with methods is also about streams',
    file: 'policy/compile.ts',
    find: "if (methods !== undefined || paths !== undefined) wants.protocol = 'http';",
    replace: '',
  },
  {
    name: 'nested groups are followed one level only',
    file: 'policy/subject/directory.ts',
    find: 'for (const name of found) for',
    replace: 'for (const name of atoms) for',
  },
  {
    name: 'a provider can name local groups and roles',
    file: 'policy/subject/directory.ts',
    find: 'return prefix !== group && !RESERVED_PREFIXES.has(prefix);',
    replace: 'return prefix.length > 0;',
  },
  {
    name: 'a missing device claim is false',
    file: 'policy/criteria/claims.ts',
    find: '(yes & known & ~on) !== 0',
    replace: '(yes & ~on) !== 0',
  },
  {
    name: 'a connector that nobody knows is taken for the person’s device',
    file: 'policy/criteria/connector-posture.ts',
    find: 'const { connector } = request;',
    replace: 'const connector = request.connector ?? request.device;',
  },
  {
    name: 'an unknown quote of a connector is no matter',
    file: 'policy/criteria/connector-posture.ts',
    find: 'return Number.isNaN(elapsed) ? UNKNOWN : truthOf(elapsed <= want);',
    replace: 'return truthOf(!(elapsed > want));',
  },
  {
    name: 'firmware versions are compared as text',
    file: 'policy/criteria/firmware.ts',
    find: 'truthOf(version === want || compareVersions(version, want) >= 0)',
    replace: 'truthOf(version >= want)',
  },
  {
    name: 'feeds that are not loaded list nothing',
    file: 'policy/criteria/feed.ts',
    find: 'if (feeds === undefined) return UNKNOWN;',
    replace: 'if (feeds === undefined) return truthOf(want === "none");',
  },
  {
    name: 'push approvals are phishing-resistant',
    file: 'policy/criteria/phishing.ts',
    find: "new Set(['hwk', 'sc', 'fido'])",
    replace: "new Set(['hwk', 'sc', 'fido', 'swk'])",
  },
  {
    name: 'a severity is better than its own limit only',
    file: 'policy/compile.ts',
    find: 'below: SEVERITIES.indexOf(atMost) + 1',
    replace: 'below: SEVERITIES.indexOf(atMost)',
  },
  {
    name: 'the most burdensome allow decides',
    file: 'policy/obligations.ts',
    find: 'if (ours !== theirs) return ours < theirs ? -1 : 1;',
    replace: 'if (ours !== theirs) return ours < theirs ? 1 : -1;',
  },
  {
    name: 'a shadow allow claims to outdo a deny',
    file: 'policy/shadow.ts',
    find: "rule.effect === 'deny' || reason === 'denied-by-rule'",
    replace: "rule.effect === 'deny'",
  },
  {
    name: 'memberships resolved by another policy are believed',
    file: 'policy/compiled-policy.ts',
    find: 'if (policy === this && (subject',
    replace: 'if ((subject',
  },
];
