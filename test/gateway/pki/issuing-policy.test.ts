// What the issuing process signs and what it does not, whoever asks.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openAuthority } from '#gateway/pki/authority';
import { IssuingPolicy } from '#gateway/pki/issuing-policy';
import { requestFor } from './signing-request.ts';
import { CONNECTOR, RULES, token, wish } from './wishes.ts';

const HOUR = 3_600_000;
const place = mkdtempSync(join(tmpdir(), 'sallyport-issuing-policy-'));
after(() => rmSync(place, { recursive: true, force: true }));

describe('the policy', () => {
  const policy = (rules: Partial<typeof RULES> = {}): IssuingPolicy =>
    new IssuingPolicy({ ...RULES, perSecond: 1000, ...rules }, () => true, Date.now);
  const refused = { name: 'IssueError', code: 'not-permitted' };

  test('knows the names of our own servers, and no other', () => {
    policy().server(['gw.example'], HOUR);
    for (const names of [
      [],
      ['evil.example'],
      ['gw.example', 'evil.example'],
      ['GW.example'],
      ['*.example'],
    ]) {
      assert.throws(() => policy().server(names, HOUR), refused, names.join());
    }
  });

  test('knows connectors and services of our trust domain, and no other', () => {
    policy().client(wish());
    policy().client(wish({ uri: 'spiffe://sallyport.internal/service/billing' }));
    for (const uri of [
      'spiffe://sallyport.internal/gateway/edge-1',
      'spiffe://sallyport.internal/admin/root',
      'spiffe://sallyport.internal/connector/',
      'spiffe://sallyport.internal/connector/a/b',
      'spiffe://sallyport.internal/connector/A',
      'spiffe://sallyport.internal/connector/a\0',
      'spiffe://sallyport.internal/connector/a\n',
      'spiffe://sallyport.internal.evil/connector/a',
      'spiffe://evil/connector/a',
      'https://sallyport.internal/connector/a',
      '',
    ]) {
      assert.throws(() => policy().client(wish({ uri })), refused, JSON.stringify(uri));
    }
    policy().peer('spiffe://sallyport.internal/gateway/edge-1', HOUR);
    assert.throws(() => policy().peer(CONNECTOR, HOUR), refused);
  });

  test('lets nothing live for more than a day, and a day is not more', () => {
    policy().client(wish({ life: 24 * HOUR }));
    policy().server(['gw.example'], 1);
    assert.throws(() => policy().client(wish({ life: 25 * HOUR })), { message: /longer than 24 h/ });
    for (const life of [24 * HOUR + 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => policy().client(wish({ life })), refused, String(life));
      assert.throws(() => policy().server(['gw.example'], life), refused, String(life));
    }
  });

  test('gives one certificate for one permission', () => {
    const one = policy();
    const grant = token();
    one.client(wish({ grant }));
    assert.throws(() => one.client(wish({ grant })), { ...refused, message: /used already/ });
    assert.throws(() => one.client(wish({ grant, uri: CONNECTOR.replace('rack', 'room') })), refused);
  });

  test('counts what servers and gateways ask for too, and lets them live no longer', () => {
    const gateway = 'spiffe://sallyport.internal/gateway/edge-1';
    for (const ask of [
      (one: IssuingPolicy) => one.server(['gw.example'], HOUR),
      (one: IssuingPolicy) => one.peer(gateway, HOUR),
    ]) {
      const one = policy({ perSecond: 1 });
      for (let count = 0; count < 10; count += 1) ask(one);
      assert.throws(() => ask(one), { code: 'too-many' });
    }
    assert.throws(() => policy().peer(gateway, 25 * HOUR), refused);
  });

  test('knows no client where there is no trust domain, nor of another one as long', () => {
    const none = new IssuingPolicy({ servers: [], perSecond: 1000 }, () => true, Date.now);
    for (const uri of ['spiffe:///connector/a', 'spiffe://undefined/connector/a', CONNECTOR]) {
      assert.throws(() => none.client(wish({ uri })), refused, uri);
    }
    const uri = CONNECTOR.replace('sallyport', 'tallyport');
    assert.throws(() => policy().client(wish({ uri })), refused);
  });

  test('remembers a permission for two days, as long as nothing that gives one lives', () => {
    const clock = { time: 1_000 };
    const one = new IssuingPolicy(
      { ...RULES, perSecond: 1000 },
      () => true,
      () => clock.time,
    );
    const [grant, later] = [token(), token()];
    one.client(wish({ grant }));
    clock.time += HOUR;
    one.client(wish({ grant: later }));
    clock.time = 1_000 + 48 * HOUR - 1;
    for (const used of [grant, later]) assert.throws(() => one.client(wish({ grant: used })), /used already/);
    // Of another kind it is another permission.
    one.client(wish({ grant: { kind: 'admin', id: (grant as { id: string }).id } }));
    clock.time += 1;
    one.client(wish());
    assert.throws(() => one.client(wish({ grant: later })), /used already/);
    one.client(wish({ grant }));
  });

  test('renews what it vouches for, under the same name', async () => {
    const authority = await openAuthority(join(place, 'renewal'), 'Test', Date.now);
    const csr = await requestFor();
    const { certificate } = await authority.issueClient(wish({ csr }));
    const vouching = new IssuingPolicy(
      { ...RULES, perSecond: 1000 },
      (one, shown) => authority.vouchesFor(one, shown),
      Date.now,
    );
    vouching.client(wish({ grant: { kind: 'renewal', certificate } }));
    const elsewhere = await openAuthority(join(place, 'elsewhere'), 'Test', Date.now);
    const foreign = (await elsewhere.issueClient(wish({ csr }))).certificate;
    for (const [text, uri] of [
      [certificate, CONNECTOR.replace('rack', 'room')],
      [foreign, CONNECTOR],
      ['', CONNECTOR],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', CONNECTOR],
    ] as const) {
      const grant = { kind: 'renewal', certificate: text } as const;
      assert.throws(() => vouching.client(wish({ grant, uri })), { ...refused, message: /to be renewed is/ });
    }
  });

  test('signs so many a second, and saves up for ten', () => {
    let time = 0;
    const slow = new IssuingPolicy(
      RULES,
      () => true,
      () => time,
    );
    const spent = (): number => {
      for (let count = 0; ; count += 1) {
        try {
          slow.client(wish());
        } catch (error) {
          assert.equal((error as { code: string }).code, 'too-many');
          return count;
        }
      }
    };
    assert.equal(spent(), 20);
    time += 1500;
    assert.equal(spent(), 3);
    time += 60_000;
    assert.equal(spent(), 20);
    // A clock that is set back gives nothing.
    time -= 30_000;
    assert.equal(spent(), 0);
    time += 500;
    assert.equal(spent(), 1);
  });
});
