// Who holds which certificate, and what becomes of it when it is struck or its holder is revoked: the desk with an
// authority that issues numbers.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import type { KeyProof } from '#connectors/wire/evidence';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import type { Authority, ClientWish, Issued } from '#gateway/pki/issued';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { StateError } from '#gateway/state/error';

const HOUR = 3_600_000;

describe('certificates that are held', () => {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-held-'));
  let directories = 0;
  let now = 0;
  let issued = 0;
  let issuer: string | undefined;
  let store: EmbeddedStore;
  let desk: EnrolmentDesk;
  /** As they were told to other verifiers. */
  let listed: string[] = [];
  const wishes: ClientWish[] = [];
  const authority: Partial<Authority> = {
    fingerprint: 'f',
    issueClient: async (wish): Promise<Issued> => {
      wishes.push(wish);
      issued += 1;
      return { certificate: '', serial: `0A${issued}`, notAfter: now + wish.life, issuer } as Issued;
    },
  };
  const revocations = {
    add: async (serial: string, by: string, until: number): Promise<void> => {
      listed.push(`${serial} ${by} ${until}`);
    },
  };
  const enrol = async (name: string): Promise<string> =>
    (await desk.enrol((await desk.createToken(name, HOUR, 'ops')).token, 'csr')).serial;
  const held = async (): Promise<string[]> =>
    (await desk.list()).map(({ name, certificate }) => `${name} ${certificate.serial}`);

  beforeEach(async () => {
    await store?.close();
    directories += 1;
    [now, issued, issuer, listed] = [1_000_000_000_000, 0, 'INTERMEDIATE', []];
    store = openEmbeddedStore(join(root, String(directories)), () => now);
    const options = { store, authority: authority as Authority, revocations, now: () => now };
    desk = new EnrolmentDesk({ ...options, trustDomain: 'test.internal', certificateLife: HOUR });
  });
  after(async () => {
    await store.close();
    rmSync(root, { recursive: true, force: true });
  });

  test('are listed until the moment they end, and found by their serial in either case', async () => {
    await enrol('berlin-1');
    await enrol('service/billing');
    assert.deepEqual(wishes.map(({ uri }) => uri).slice(-2), [
      'spiffe://test.internal/connector/berlin-1',
      'spiffe://test.internal/service/billing',
    ]);
    assert.deepEqual((await held()).toSorted(), ['berlin-1 0A1', 'service/billing 0A2']);
    assert.equal((await desk.holderOf('0a2'))?.name, 'service/billing');
    assert.equal(await desk.holderOf('0A3'), undefined);
    now += HOUR - 1;
    assert.equal((await held()).length, 2);
    now += 1;
    assert.deepEqual(await held(), []);
    assert.equal(await desk.holderOf('0A1'), undefined);
  });

  test('one that is struck is told to other verifiers and admitted no more; the holder’s others are', async () => {
    await enrol('berlin-1');
    await enrol('berlin-1');
    const one = await desk.holderOf('0A1');
    assert.ok(one !== undefined);
    await desk.strike(one.name, one.certificate);
    assert.deepEqual(listed, [`0A1 INTERMEDIATE ${now + HOUR}`]);
    assert.equal(await desk.admits('berlin-1', '0A1'), false);
    assert.equal(await desk.admits('berlin-1', '0A2'), true);
    assert.deepEqual(await held(), ['berlin-1 0A2']);
    await desk.renew('berlin-1', '0A2', 'csr', 'pem');
    await desk.strike('nobody', one.certificate);
    assert.equal(await store.get('connector', 'nobody'), undefined, 'striking makes nobody known');
  });

  test('one that is struck while it is renewed is not renewed, and the holder’s others are', async () => {
    await enrol('berlin-1');
    await enrol('berlin-1');
    const one = await desk.holderOf('0A1');
    assert.ok(one !== undefined);
    const { issueClient } = authority;
    authority.issueClient = async (wish) => {
      await desk.strike(one.name, one.certificate);
      return (issueClient as Authority['issueClient'])(wish);
    };
    const refused = desk.renew('berlin-1', '0A1', 'csr', 'pem');
    await assert.rejects(refused, { code: 'connector-revoked' }).finally(() => {
      authority.issueClient = issueClient as Authority['issueClient'];
    });
    assert.deepEqual(await held(), ['berlin-1 0A2']);
    assert.equal((await desk.renew('berlin-1', '0A2', 'csr', 'pem')).serial, '0A4');
  });

  test('a holder who is revoked loses all of them; those that ended or have no issuer are in no list', async () => {
    issuer = undefined;
    await enrol('berlin-1');
    issuer = 'INTERMEDIATE';
    await enrol('berlin-1');
    now += HOUR / 2;
    await enrol('berlin-1');
    await enrol('berlin-1');
    now += HOUR / 2;
    assert.equal(await desk.revoke('berlin-1'), true);
    const until = now + HOUR / 2;
    assert.deepEqual(listed, [`0A3 INTERMEDIATE ${until}`, `0A4 INTERMEDIATE ${until}`]);
    for (const serial of ['0A1', '0A2', '0A3', '0A4'])
      assert.equal(await desk.admits('berlin-1', serial), false, serial);
    await assert.rejects(desk.renew('berlin-1', '0A4', 'csr', 'pem'), { code: 'connector-revoked' });
    assert.equal(await desk.revoke('nobody'), false);
    await enrol('berlin-1');
    assert.deepEqual(await held(), ['berlin-1 0A5'], 'a new token admits it again');
  });

  test('a holder whose revocation was not acknowledged is revoked with all certificates by the next try', async () => {
    issuer = 'INTERMEDIATE';
    await enrol('berlin-1');
    const { update } = store;
    store.update = async (...words) => {
      await update.apply(store, words as never);
      throw new StateError('state-unacknowledged', 'no replica has it');
    };
    await assert.rejects(desk.revoke('berlin-1'), { code: 'state-unacknowledged' });
    store.update = update;
    assert.equal(await desk.admits('berlin-1', '0A1'), false);
    assert.deepEqual(listed, []);
    assert.equal(await desk.revoke('berlin-1'), true);
    assert.deepEqual(listed, [`0A1 INTERMEDIATE ${now + HOUR}`]);
    await enrol('berlin-1');
    assert.deepEqual(await held(), ['berlin-1 0A2']);
  });

  test('a token that was made before its holder was revoked admits nobody, also when it is spent just then', async () => {
    const before = (await desk.createToken('berlin-1', HOUR, 'ops')).token;
    const other = (await desk.createToken('paris-1', HOUR, 'ops')).token;
    await enrol('berlin-1');
    assert.equal(await desk.revoke('berlin-1'), true);
    await assert.rejects(desk.enrol(before, 'csr'), { code: 'token-used' });
    assert.equal((await desk.enrol(other, 'csr')).name, 'paris-1');
    await enrol('berlin-1');
    const unused = (await desk.createToken('rome-1', HOUR, 'ops')).token;
    assert.equal(await desk.revoke('rome-1'), true, 'it never enrolled');
    await assert.rejects(desk.enrol(unused, 'csr'), { code: 'token-used' });
    const late = (await desk.createToken('berlin-1', HOUR, 'ops')).token;
    const { issueClient } = authority;
    authority.issueClient = async (wish) => {
      await desk.revoke('berlin-1');
      return (issueClient as Authority['issueClient'])(wish);
    };
    await assert.rejects(desk.enrol(late, 'csr'), { code: 'connector-revoked' });
    authority.issueClient = issueClient as Authority['issueClient'];
    assert.deepEqual(
      (await held()).map((one) => one.split(' ')[0]).filter((name) => name === 'berlin-1'),
      [],
    );
    await enrol('berlin-1');
    assert.equal((await held()).filter((one) => one.startsWith('berlin-1')).length, 1);
  });

  test('nothing is issued for the word of a TPM where nobody can check it', async () => {
    const { token } = await desk.createToken('berlin-1', HOUR, 'ops');
    await assert.rejects(desk.enrol(token, 'csr', {} as KeyProof), { code: 'ek-chain-untrusted' });
    assert.equal(issued, 0);
  });

  test('beyond sixty-four of one name the oldest is admitted no more', async () => {
    for (let count = 0; count < 64; count += 1) await enrol('berlin-1');
    assert.equal(await desk.admits('berlin-1', '0A1'), true);
    await enrol('berlin-1');
    assert.equal(await desk.admits('berlin-1', '0A1'), false);
    assert.equal(await desk.admits('berlin-1', '0A2'), true);
    assert.equal((await held()).length, 64);
  });
});
