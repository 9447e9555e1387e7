// What is known of the device behind a door: as much as its bond and its last proof say, and otherwise nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Appraisal } from '#gateway/attest/appraisal';
import { Standings } from '#gateway/context/standing';
import { networkOf } from '#gateway/edge/address';
import type { LiveSession } from '#gateway/identity/live-session';
import type { DeviceBond } from '#gateway/state/store';

const NOW = Date.UTC(2026, 5, 1);
const BOND: DeviceBond = { device: 'd1', key: 'jkt', boot: '4.0', network: '192.0.2.1', until: NOW + 1 };
const FACTS = { id: 'd1', attested: true, secureBoot: true, sameBoot: true, quotedAt: NOW };
const POSTURE: Appraisal = {
  device: 'd1',
  status: 'affirming',
  trust: { 'instance-identity': 2, hardware: 2, executables: 3, configuration: 2 },
  reasons: [],
  authentic: true,
  facts: FACTS,
  keyThumbprint: 'jkt',
  boot: '4.0',
  issuedAt: NOW,
  expiresAt: NOW + 1000,
};

async function standing(bond: DeviceBond | undefined, posture: Appraisal | undefined, address = '192.0.2.1') {
  const standings = new Standings(
    async () => posture,
    () => NOW,
  );
  const session = { id: 's', ...(bond === undefined ? {} : { bond }) } as LiveSession;
  const { facts, reasons } = await standings.of(session, address);
  return { facts, codes: reasons.map(({ code }) => code) };
}

test('a bound door with a good proof has the facts of its device', async () => {
  assert.deepEqual(await standing(BOND, POSTURE), { facts: FACTS, codes: [] });
  const { network: _, ...terminal } = BOND;
  assert.deepEqual(await standing(terminal, POSTURE, '203.0.113.9'), { facts: FACTS, codes: [] });
});

const nothing = { id: 'd1' };
const cases: readonly (readonly [string, DeviceBond | undefined, Appraisal | undefined, string, object])[] = [
  ['no bond', undefined, POSTURE, '192.0.2.1', { facts: undefined, codes: ['not-bound'] }],
  [
    'a bond that ran out',
    { ...BOND, until: NOW },
    POSTURE,
    '192.0.2.1',
    { facts: nothing, codes: ['bond-expired'] },
  ],
  ['another network', BOND, POSTURE, '192.0.2.2', { facts: nothing, codes: ['other-network'] }],
  ['a socket that is gone', BOND, POSTURE, '', { facts: nothing, codes: ['other-network'] }],
  [
    'a device that is silent or revoked',
    BOND,
    undefined,
    '192.0.2.1',
    { facts: nothing, codes: ['not-attested'] },
  ],
  [
    'a device with other keys',
    BOND,
    { ...POSTURE, keyThumbprint: 'other' },
    '192.0.2.1',
    { facts: nothing, codes: ['other-key'] },
  ],
  [
    'a device that was restarted',
    BOND,
    { ...POSTURE, boot: '5.0' },
    '192.0.2.1',
    { facts: { ...FACTS, sameBoot: false }, codes: ['rebooted'] },
  ],
];
for (const [what, bond, posture, address, expected] of cases) {
  test(`${what}: what is not proved is unknown, and the reason is told`, async () => {
    assert.deepEqual(await standing(bond, posture, address), expected);
  });
}

test('a store that fails is not taken for a device that is well', async () => {
  const standings = new Standings(
    async () => Promise.reject(new Error('down')),
    () => NOW,
  );
  await assert.rejects(standings.of({ id: 's', bond: BOND } as LiveSession, '192.0.2.1'), /down/);
});

test('while the store is away the last result counts for 25 s, unless something changed', async () => {
  let [time, asked, away] = [0, 0, false];
  const standings = new Standings(
    async () => {
      asked += 1;
      if (away) throw new Error('down');
      return { ...POSTURE, expiresAt: NOW + 1_000 };
    },
    () => NOW,
    () => time,
  );
  const facts = async (at: number): Promise<unknown> => {
    time = at;
    return (await standings.of({ id: 's', bond: BOND } as LiveSession, '192.0.2.1')).facts;
  };
  assert.deepEqual(await facts(0), FACTS);
  away = true;
  // However often it is asked meanwhile: it counts from when the store said it.
  for (let at = 600; at < 25_000; at += 600) assert.deepEqual(await facts(at), FACTS);
  assert.equal(asked, 42);
  await assert.rejects(facts(25_200), /down/);
  away = false;
  assert.deepEqual(await facts(26_000), FACTS);
  away = true;
  standings.changed();
  await assert.rejects(facts(26_100), /down/);
});

test('a result is asked for twice a second, and at once after a change', async () => {
  let asked = 0;
  let time = 0;
  const ask = async (): Promise<Appraisal> => {
    asked += 1;
    return POSTURE;
  };
  const standings = new Standings(
    ask,
    () => NOW,
    () => time,
  );
  const session = { id: 's', bond: BOND } as LiveSession;
  const look = async (): Promise<number> => {
    await standings.of(session, '192.0.2.1');
    return asked;
  };
  assert.deepEqual([await look(), await look()], [1, 1]);
  time = 500;
  assert.deepEqual([await look(), await look()], [2, 2]);
  standings.changed();
  assert.equal(await look(), 3);
});

test('a result that runs out meanwhile is none', async () => {
  assert.deepEqual(await standing(BOND, { ...POSTURE, expiresAt: NOW }), {
    facts: { id: 'd1' },
    codes: ['not-attested'],
  });
});

test('one network is one IPv4 address or one /64', () => {
  assert.equal(networkOf('192.0.2.1'), '192.0.2.1');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), networkOf('2001:db8:1:2::9'));
  assert.notEqual(networkOf('2001:db8:1:2::1'), networkOf('2001:db8:1:3::1'));
});
