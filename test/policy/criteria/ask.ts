// Asks one criterion through whole policies: an allow rule needs it to be met, a deny rule only not to be unmet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblems } from '#policy/document';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';

export type Truth = 'met' | 'unmet' | 'unknown';

/** Wednesday 4 March 2026, 10:00 in Berlin. */
export const NOW: number = Date.parse('2026-03-04T10:00:00+01:00');

export const MINUTE = 60_000;
export const HOUR: number = 60 * MINUTE;

/** A request that gives no fact a rule could ask about, changed by `patch` one level deep. */
export function requestWith(patch: Partial<AccessRequest> = {}): AccessRequest {
  return {
    version: 1,
    at: NOW,
    subject: { kind: 'user', id: 'anna', groups: [], roles: [] },
    target: { app: 'app', protocol: 'http', method: 'GET', path: '/' },
    network: { address: 'nowhere' },
    ...patch,
  };
}

export function policyOf(text: string): Policy {
  const loading = loadPolicy(text, 'test.yaml');
  assert.ok(loading.ok, loading.ok ? '' : formatProblems(loading.problems));
  return loading.policy;
}

export function verdict(policy: Policy, request: AccessRequest): 'allow' | 'deny' {
  return policy.decide(request, policy.prepare(request.subject)).verdict;
}

const DEFINITIONS = `
version: 1
zone: Europe/Berlin
apps: [app]
networks: { office: [203.0.113.0/24, "2001:db8::/32"], lab: [198.51.100.7] }
hours: { office: { days: mon-fri, from: "08:00", to: "18:00" }, night: { from: "22:00", to: "06:00" } }
devices: { hardened: { attested: true, secureBoot: true } }
workloads: { release: { signedBy: ci, worstCve: medium } }
rules:
`;

/** One row: what a rule writes (keys of the rule itself, or \`when: …\`), the request, and what must come out. */
export type Row = readonly [written: string, patch: Partial<AccessRequest>, truth: Truth];

/** A test for a criterion: each row holds for the allow and for the deny polarity. */
export function criterionTest(name: string, code: string, rows: readonly Row[]): void {
  test(`${name}: met, unmet and unknown`, () => {
    for (const [written, patch, truth] of rows) {
      const request = requestWith(patch);
      const about = `${written} with ${JSON.stringify(patch)}`;
      const who = /\bwho:/.test(written) ? '' : 'who: [everyone, "service:*"], ';
      const allowing = policyOf(`${DEFINITIONS}  - { id: asked, allow: app, ${who}${written} }`);
      assert.equal(verdict(allowing, request), truth === 'met' ? 'allow' : 'deny', `allow if ${about}`);
      const denying = policyOf(
        `${DEFINITIONS}  - { id: open, allow: app, who: [everyone, "service:*"] }\n  - { id: asked, deny: app, ${written} }`,
      );
      assert.equal(verdict(denying, request), truth === 'unmet' ? 'allow' : 'deny', `deny if ${about}`);
      if (truth !== 'met') {
        const codes = allowing.explain(request).nearest[0]?.unmet.map((unmet) => unmet.code) ?? [];
        const expected = truth === 'unmet' ? code : /-unknown$/;
        assert.ok(
          codes.some((one) => (typeof expected === 'string' ? one === expected : expected.test(one))),
          `${about}: ${codes.join(', ')}`,
        );
      }
    }
    const truths = new Set(rows.map(([, , truth]) => truth));
    assert.ok(truths.has('met') && truths.has('unmet'), 'a criterion test shows both outcomes');
  });
}
