// The connector's posture: claims, firmware and age of its machine's last quote, of which all must be as asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessRequest, Connector } from '#policy/input';
import { criterionTest, HOUR, NOW, policyOf, requestWith } from './ask.ts';

const by = (posture: Omit<Connector, 'name'>): Partial<AccessRequest> => ({
  connector: { name: 'rack-1', ...posture },
});
const FULL = 'when: { connector: { attested: true, firmware: "1.9", quotedWithin: 1h } }';
const whole = { attested: true, firmware: '1.10', quotedAt: NOW - HOUR };

criterionTest('connector', 'connector-posture-mismatch', [
  ['when: { connector: hardened }', by({ attested: true, secureBoot: true }), 'met'],
  ['when: { connector: hardened }', by({ attested: true, secureBoot: false }), 'unmet'],
  ['when: { connector: hardened }', by({ attested: true }), 'unknown'],
  ['when: { connector: hardened }', by({ attested: false }), 'unmet'],
  ['when: { connector: hardened }', by({}), 'unknown'],
  ['when: { connector: hardened }', {}, 'unknown'],
  // What is known of the person's device says nothing of the connector, and the other way around.
  ['when: { connector: hardened }', { device: { id: 'd', attested: true, secureBoot: true } }, 'unknown'],
  ['when: { connector: { baseline: false } }', by({ baseline: false }), 'met'],
  ['when: { connector: { baseline: false } }', by({ baseline: true }), 'unmet'],
  [FULL, by(whole), 'met'],
  [FULL, by({ ...whole, firmware: '1.8' }), 'unmet'],
  [FULL, by({ ...whole, firmware: 'v2' }), 'unknown'],
  [FULL, by({ ...whole, quotedAt: NOW - HOUR - 1 }), 'unmet'],
  [FULL, by({ ...whole, quotedAt: NOW + HOUR }), 'unknown'],
  [FULL, by({ attested: true, quotedAt: NOW }), 'unknown'],
  [FULL, by({ firmware: '1.10', quotedAt: NOW }), 'unknown'],
  // One that is known to be wrong outweighs any that is unknown.
  [FULL, by({ attested: false }), 'unmet'],
  [FULL, by({ firmware: '1', attested: true }), 'unmet'],
  [FULL, by({ quotedAt: 0 }), 'unmet'],
]);

const POLICY = `
version: 1
apps: [app, free]
devices: { hardened: { attested: true, firmware: "1.9", quotedWithin: 1h } }
rules:
  - { id: ways, allow: app, who: everyone, when: { connector: hardened } }
  - { id: any, allow: free, who: everyone }
`;

test('an explanation says which connector was found how, and that it is an admin who mends it', () => {
  const policy = policyOf(POLICY);
  const explained = (patch: Partial<AccessRequest>): readonly [string | undefined, string | undefined] => {
    const { nearest, remedy } = policy.explain(requestWith(patch));
    return [nearest[0]?.unmet[0]?.have, remedy.kind];
  };
  assert.equal(
    policy.explain(requestWith()).nearest[0]?.unmet[0]?.need,
    'attested, firmware 1.9 or newer, quoted at most 1h ago',
  );
  assert.deepEqual(explained({}), ['no connector that could carry it', 'mend-connector']);
  assert.deepEqual(explained(by({})), [
    'rack-1: attested unknown, firmware unknown, never quoted',
    'mend-connector',
  ]);
  assert.deepEqual(explained(by({ attested: false, firmware: '2', quotedAt: NOW - 2 * HOUR })), [
    'rack-1: not attested, firmware 2, quoted 2h ago',
    'mend-connector',
  ]);
});

test('only apps with a rule about connectors have to be asked by connector', () => {
  const policy = policyOf(POLICY);
  assert.deepEqual(
    ['app', 'free', 'nowhere', '__proto__'].map((app) => policy.asksConnector(app)),
    [true, false, false, false],
  );
  const asking = (rule: string): boolean =>
    policyOf(
      `version: 1\napps: [app]\nrules:\n  - { id: open, allow: app, who: everyone }\n${rule}`,
    ).asksConnector('app');
  assert.ok(asking('  - { id: no, deny: "*", unless: { connector: { attested: true } } }'));
  assert.ok(asking('  - { id: no, deny: app, mode: shadow, when: { connector: { attested: false } } }'));
  assert.ok(
    asking(
      '  - { id: or, allow: app, who: everyone, when: [{ mfa: 1h }, { connector: { attested: true } }] }',
    ),
  );
  assert.ok(!asking('  - { id: no, deny: app, when: { device: { attested: false } } }'));
});
