// A request is decided with each connector that could carry it: those that policy allows may, and no other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rulings } from '#gateway/access/ruling';
import { Ways } from '#gateway/access/ways';
import type { Appraisal } from '#gateway/attest/appraisal';
import { ConnectorStandings } from '#gateway/context/connector-standing';
import type { LiveSession } from '#gateway/identity/live-session';
import type { CarryingConnector } from '#gateway/tunnel/relay';
import type { AccessRequest, Posture } from '#policy/input';
import { loadPolicy } from '#policy/load';

const AT = Date.parse('2026-03-04T10:00:00Z');
const POLICY = `
version: 1
apps: [wiki, vault, mixed]
devices: { hardened: { attested: true, baseline: true } }
rules:
  - { id: all, allow: wiki, who: everyone }
  - { id: keepers, allow: vault, who: everyone, when: { connector: hardened } }
  - { id: mixed-good, allow: mixed, who: everyone, when: { connector: hardened } }
  - { id: mixed-read, allow: mixed, who: everyone, readOnly: true }
`;
const WELL: Posture = { attested: true, baseline: true };

const session = {
  id: 's1',
  subject: { kind: 'user', id: 'u', groups: [], roles: [] },
  login: { provider: 'idp', at: AT },
} as unknown as LiveSession;

function request(app: string, method = 'GET'): AccessRequest {
  return {
    version: 1,
    at: AT,
    subject: session.subject,
    target: { app, protocol: 'http', method, path: '/' },
    network: { address: '192.0.2.1' },
  };
}

/** `machines`: what is known of the machine behind each key; undefined for one that never attested. */
function bed(machines: Readonly<Record<string, Posture | undefined>>) {
  const loading = loadPolicy(POLICY, 'policy.yaml');
  assert.ok(loading.ok);
  const { policy } = loading;
  const asked: string[] = [];
  let now = AT;
  let clock = 0;
  const posture = async ({ key }: CarryingConnector): Promise<Appraisal | undefined> => {
    asked.push(key);
    const found = machines[key];
    const device = `machine of ${key}`;
    return found && ({ device, facts: { id: device, ...found }, expiresAt: AT + 1000 } as Appraisal);
  };
  const silent: string[] = [];
  const standings = new ConnectorStandings({
    posture,
    onSilent: ({ name }, device) => void silent.push(`${name}: ${device}`),
    now: () => now,
    clock: () => clock,
  });
  const serving = (): CarryingConnector[] =>
    Object.keys(machines).map((key) => ({ name: `rack-${key}`, key, address: '192.0.2.7' }));
  const ways = new Ways(new Rulings(() => policy), { serving }, standings);
  return {
    asked,
    silent,
    standings,
    at: (ms: number) => {
      now = AT + ms;
      clock = ms;
    },
    async rule(app: string, method?: string) {
      const { ruling, input, only } = await ways.rule(session, request(app, method));
      const { verdict, rule } = ruling.decision;
      const unmet = ruling.explanation?.nearest[0]?.unmet.map(({ code }) => code);
      return { verdict, rule: rule?.id, by: input.connector?.name, only: only && [...only], unmet };
    },
  };
}

test('an app without such a rule is decided at once, and nobody is asked about connectors', () => {
  const { asked, standings } = bed({ a: WELL });
  const loading = loadPolicy(POLICY, 'policy.yaml');
  assert.ok(loading.ok);
  const ways = new Ways(
    new Rulings(() => loading.policy),
    { serving: () => assert.fail('connectors were listed') },
    standings,
  );
  const asking = request('wiki');
  const way = ways.rule(session, asking);
  assert.ok(!(way instanceof Promise));
  assert.deepEqual([way.ruling.decision.verdict, way.only], ['allow', undefined]);
  assert.equal(way.input, asking);
  assert.deepEqual(asked, []);
});

test('of several connectors only those may carry a request that are as the rule asks', async () => {
  const { rule } = bed({ never: undefined, bad: { attested: true, baseline: false }, good: WELL, too: WELL });
  assert.deepEqual(await rule('vault'), {
    verdict: 'allow',
    rule: 'keepers',
    by: 'rack-good',
    only: ['good', 'too'],
    unmet: undefined,
  });
});

test('what another rule allows of other connectors is not mixed with it', async () => {
  const { rule } = bed({ never: undefined, good: WELL });
  // Reading is allowed through any: by the first that is asked, and those that are allowed by the same rule.
  const reading = await rule('mixed');
  assert.deepEqual([reading.rule, reading.only], ['mixed-read', ['never']]);
  const writing = await rule('mixed', 'POST');
  assert.deepEqual([writing.rule, writing.only], ['mixed-good', ['good']]);
});

test('without a good connector the denial tells of one that is known', async () => {
  const { rule } = bed({ never: undefined, bad: { attested: true, baseline: false } });
  assert.deepEqual(await rule('vault'), {
    verdict: 'deny',
    rule: undefined,
    by: 'rack-bad',
    only: undefined,
    unmet: ['connector-posture-mismatch'],
  });
  assert.deepEqual((await bed({ never: undefined }).rule('vault')).unmet, ['connector-posture-unknown']);
  assert.deepEqual(await bed({}).rule('vault'), {
    verdict: 'deny',
    rule: undefined,
    by: undefined,
    only: undefined,
    unmet: ['connector-posture-unknown'],
  });
});

test('with no connector here, what needs none of them in particular may still go another way', async () => {
  const reading = await bed({}).rule('mixed');
  assert.deepEqual([reading.verdict, reading.rule, reading.only], ['allow', 'mixed-read', undefined]);
  assert.equal((await bed({}).rule('mixed', 'POST')).verdict, 'deny');
});

test('a result that has run out is none, and each is asked for twice a second at most', async () => {
  const { rule, at, asked, standings } = bed({ good: WELL });
  assert.equal((await rule('vault')).verdict, 'allow');
  at(499);
  assert.equal((await rule('vault')).verdict, 'allow');
  assert.equal(asked.length, 1);
  standings.changed();
  assert.equal((await rule('vault')).verdict, 'allow');
  assert.equal(asked.length, 2);
  at(1000);
  assert.deepEqual((await rule('vault')).unmet, ['connector-posture-unknown']);
  assert.equal(asked.length, 3);
});

test('a store that does not answer decides nothing, and is asked again', async () => {
  let broken = true;
  const loading = loadPolicy(POLICY, 'policy.yaml');
  assert.ok(loading.ok);
  const standings = new ConnectorStandings({
    posture: async () => {
      if (broken) throw new Error('the store is gone');
      return { facts: { id: 'm', ...WELL }, expiresAt: AT + 1 } as Appraisal;
    },
    onSilent: () => assert.fail('nobody fell silent'),
    now: () => AT,
  });
  const ways = new Ways(
    new Rulings(() => loading.policy),
    { serving: () => [{ name: 'rack', key: 'k', address: '192.0.2.7' }] },
    standings,
  );
  await assert.rejects(async () => ways.rule(session, request('vault')), /the store is gone/);
  broken = false;
  assert.equal((await ways.rule(session, request('vault'))).ruling.decision.verdict, 'allow');
});

test('a machine that was well and proves nothing any more is told of once; one that was revoked is not', async () => {
  const machines: Record<string, Posture | undefined> = { good: WELL, revoked: WELL };
  const { rule, at, silent, standings } = bed(machines);
  assert.equal((await rule('vault')).verdict, 'allow');
  machines['revoked'] = undefined;
  standings.changed();
  assert.deepEqual((await rule('vault')).only, ['good']);
  assert.deepEqual(silent, []);
  at(1000);
  for (let i = 0; i < 3; i += 1) assert.equal((await rule('vault')).verdict, 'deny');
  assert.deepEqual(silent, ['rack-good: machine of good']);
});
