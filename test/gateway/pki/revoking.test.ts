// What was revoked is known at once and everywhere, is on the lists that others are given, and is refused rather than
// guessed at where nobody knows; and one root comes to every gateway of an installation.
import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type CertificateAuthority, openAuthority, type RevokedCertificate } from '#gateway/pki/authority';
import { AuthorityDirectory } from '#gateway/pki/authority-directory';
import { CertificateRevocations } from '#gateway/pki/certificate-revocations';
import { RootShare } from '#gateway/pki/root-share';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Store } from '#gateway/state/store';
import { createLog } from '#siem/log';
import { earlierAuthority } from './earlier-authority.ts';
import { requestFor } from './signing-request.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-03-04T10:00:00Z');
const place = mkdtempSync(join(tmpdir(), 'sallyport-revoking-'));
after(() => rmSync(place, { recursive: true, force: true }));
const fresh = (): string => mkdtempSync(join(place, 'one-'));

/** Gateways on one store, which may stop answering or lose messages; and an authority that notes what it is to sign. */
function bed(t: TestContext) {
  const directory = fresh();
  const clock = { time: START, monotonic: 1_000, confirmed: 1_000 };
  const real = openEmbeddedStore(join(directory, 'state'), () => clock.time);
  t.after(() => real.close());
  /** `slow`: what the store has read is not answered before. */
  const state = { up: true, told: true, slow: undefined as Promise<void> | undefined };
  const store = new Proxy(real, {
    get: (target, name: keyof Store) => {
      if (name === 'confirmedAt') return () => clock.confirmed;
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => {
        const heard = state.up && (name !== 'publish' || state.told);
        if (!heard) return Promise.reject(new Error('no answer'));
        const { slow } = state;
        const answer = method.apply(target, args);
        return slow === undefined ? answer : slow.then(() => answer);
      };
    },
  }) as Store;
  const signed: string[][] = [];
  const changes: (() => void)[] = [];
  const authority = {
    fails: false,
    crls: async (revoked: readonly RevokedCertificate[]): Promise<string> => {
      signed.push(revoked.map(({ serial, issuer, at }) => `${serial} ${issuer} ${at}`).sort());
      if (authority.fails) throw new Error('the key does not answer');
      return `list ${signed.length}\n`;
    },
    onChange: (listener: () => void): void => void changes.push(listener),
  };
  const errors: string[] = [];
  const log = {
    ...createLog({ service: { name: 'test', version: '0', node: 'test' }, level: 'fatal' }),
    error: (_: object, message: string): void => void errors.push(message),
  };
  const gateway = async (): Promise<CertificateRevocations> => {
    const now = (): number => clock.time;
    const parts = { store, authority, directory, log, now, clock: () => clock.monotonic };
    const revocations = new CertificateRevocations(parts);
    await revocations.listen();
    t.after(() => revocations.stop());
    return revocations;
  };
  return { directory, clock, state, signed, changes, authority, errors, gateway };
}

const UNKNOWN = { code: 'state-unreachable' };

describe('a certificate that is revoked', () => {
  test('is covered at once and at every gateway, however its number is written, and no other is', async (t) => {
    const { gateway } = bed(t);
    const [one, other] = [await gateway(), await gateway()];
    assert.equal(one.covers('4A01'), false);
    await one.add('4a01', 'issuer', START + HOUR);
    await turn();
    for (const revocations of [one, other]) {
      for (const serial of ['4A01', '4a01', '004A01', '00004a01'])
        assert.equal(revocations.covers(serial), true, serial);
      for (const serial of ['4A02', '4A', '01', '4A0100', ''])
        assert.equal(revocations.covers(serial), false, serial);
    }
    await one.add('00', 'issuer', START + HOUR);
    assert.deepEqual([one.covers(''), one.covers('0000')], [true, true]);
    assert.deepEqual([other.has('4a01'), other.has('4A02')], [true, false]);
  });

  test('is on the lists with its issuer and its time until it ends by itself, in one file for everybody', async (t) => {
    const { directory, clock, signed, gateway } = bed(t);
    const revocations = await gateway();
    assert.deepEqual(signed, [[]]);
    clock.time += 5;
    await revocations.add('0a', 'first', START + HOUR);
    await revocations.add('0B', 'second', START + 2 * HOUR);
    assert.deepEqual(signed.at(-1), [`0A first ${START + 5}`, `0B second ${START + 5}`]);
    assert.equal(revocations.lists, `list ${signed.length}\n`);
    assert.equal(readFileSync(join(directory, 'crl.pem'), 'utf8'), revocations.lists);
    assert.equal(statSync(join(directory, 'crl.pem')).mode & 0o777, 0o644);
    clock.time = START + HOUR;
    await revocations.refresh();
    assert.deepEqual(signed.at(-1), [`0B second ${START + 5}`]);
    assert.equal(revocations.covers('0A'), false);
    // Nothing has changed, and nothing is signed for it.
    const before = signed.length;
    await revocations.refresh();
    assert.equal(signed.length, before);
  });

  test('is found by the next look where the message about it got lost', async (t) => {
    const { state, gateway } = bed(t);
    const [one, other] = [await gateway(), await gateway()];
    await one.add('0A', 'issuer', START + HOUR);
    await turn();
    state.told = false;
    await one.add('0B', 'issuer', START + HOUR);
    assert.equal(one.covers('0B'), true);
    assert.equal(other.covers('0B'), false);
    await other.refresh();
    assert.equal(other.covers('0B'), true);
  });

  test('stays so when a look at the store that began before ends after', async (t) => {
    const { state, signed, gateway } = bed(t);
    const revocations = await gateway();
    const held = Promise.withResolvers<void>();
    state.slow = held.promise;
    const looking = revocations.refresh();
    await turn();
    state.slow = undefined;
    await revocations.add('0A', 'issuer', START + HOUR);
    held.resolve();
    await looking;
    assert.equal(revocations.covers('0A'), true);
    assert.deepEqual(signed.at(-1), [`0A issuer ${START}`]);
  });

  test('one that came for one that went is seen, though there are as many', async (t) => {
    const { clock, signed, gateway } = bed(t);
    const [one, other] = [await gateway(), await gateway()];
    await one.add('0A', 'issuer', START + HOUR);
    await turn();
    assert.equal(other.covers('0A'), true);
    clock.time = START + HOUR;
    await one.add('0B', 'issuer', START + 2 * HOUR);
    await turn();
    assert.deepEqual([other.covers('0A'), other.covers('0B')], [false, true]);
    assert.deepEqual(signed.at(-1), [`0B issuer ${START + HOUR}`]);
  });

  test('nobody is believed where nobody knows: after thirty seconds without the store all are refused', async (t) => {
    const { clock, state, gateway } = bed(t);
    const revocations = await gateway();
    state.up = false;
    clock.monotonic += 30_000;
    assert.equal(revocations.covers('0A'), false);
    clock.monotonic += 1;
    assert.throws(() => revocations.covers('0A'), UNKNOWN);
    await assert.rejects(revocations.refresh());
    assert.throws(() => revocations.covers('0A'), UNKNOWN);
    assert.equal(revocations.has('0A'), false);
    // A store that answers, but speaks for a part that was cut off, says nothing new.
    state.up = true;
    await revocations.refresh();
    assert.throws(() => revocations.covers('0A'), UNKNOWN);
    clock.confirmed = clock.monotonic;
    await revocations.refresh();
    assert.equal(revocations.covers('0A'), false);
    // And a look counts from when it began, not from what the store hears later.
    clock.confirmed += 60_000;
    await revocations.refresh();
    clock.monotonic += 30_001;
    assert.throws(() => revocations.covers('0A'), UNKNOWN);
  });

  test('before the first look all are refused', (t) => {
    const { directory, authority, clock } = bed(t);
    const store = {} as Store;
    const log = createLog({ service: { name: 'test', version: '0', node: 'test' }, level: 'fatal' });
    const parts = { store, authority, directory, log, now: () => START, clock: () => clock.monotonic };
    assert.throws(() => new CertificateRevocations(parts).covers('0A'), UNKNOWN);
  });

  test('lists are signed anew for a new intermediate, and those before stay when that fails', async (t) => {
    const { signed, changes, authority, errors, directory, gateway } = bed(t);
    const revocations = await gateway();
    assert.equal(changes.length, 1);
    changes[0]?.();
    await turn();
    assert.equal(revocations.lists, 'list 2\n');
    authority.fails = true;
    await revocations.add('0A', 'issuer', START + HOUR);
    await turn();
    assert.equal(revocations.covers('0A'), true);
    assert.equal(readFileSync(join(directory, 'crl.pem'), 'utf8'), 'list 2\n');
    assert.deepEqual(errors, ['the revocation lists could not be signed; those before stay']);
    await assert.rejects(revocations.publish(), /does not answer/);
    authority.fails = false;
    assert.equal(await revocations.publish(), `list ${signed.length}\n`);
  });
});

describe('a root that gateways share', () => {
  const SECRET = 'a secret of the installation, long enough';
  const access = { passphrase: () => 'a passphrase that is long enough' };
  const directoryAt = (path: string): AuthorityDirectory =>
    new AuthorityDirectory(path, 'Test', { now: () => START, access });
  const share = (directory: AuthorityDirectory, secret = SECRET): RootShare =>
    new RootShare(directory, access, secret);
  const open = (path: string): Promise<CertificateAuthority> =>
    openAuthority(path, 'Test', () => START, { access });

  test('is made by the first, and the others issue below the same one', async () => {
    const [first, second] = [fresh(), fresh()];
    const offered = await share(directoryAt(first)).offer();
    assert.doesNotMatch(JSON.stringify(offered), /PRIVATE KEY/);
    share(directoryAt(second)).adopt(offered);
    const [one, other] = [await open(first), await open(second)];
    assert.equal(other.certificate, one.certificate);
    assert.notEqual(other.intermediates[0], one.intermediates[0]);
    const wish = {
      csr: await requestFor(),
      uri: 'spiffe://a/connector/b',
      life: HOUR,
      grant: { kind: 'admin', id: 'x' },
    };
    const issued = await other.issueClient(wish as Parameters<CertificateAuthority['issueClient']>[0]);
    const [leaf, shown] = issued.certificate.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
    assert.equal(one.vouchesFor(new X509Certificate(leaf ?? ''), new X509Certificate(shown ?? '')), true);
    // The key that came over is the root's, and is at rest as the other gateway seals it.
    const { publicKey } = new X509Certificate(one.certificate);
    const key = JSON.parse(readFileSync(join(second, 'root.key'), 'utf8'));
    const spki = createPublicKey({ key: Buffer.from(key.public, 'base64'), format: 'der', type: 'spki' });
    assert.equal(spki.equals(publicKey), true);
    assert.equal(statSync(join(second, 'root.key')).mode & 0o777, 0o600);
    assert.equal(statSync(join(second, 'ca.pem')).mode & 0o777, 0o644);
  });

  test('is taken over once more without a change, and offered again as it is', async () => {
    const [first, second] = [fresh(), fresh()];
    const offered = await share(directoryAt(first)).offer();
    share(directoryAt(second)).adopt(offered);
    await open(second);
    const before = readFileSync(join(second, 'root.key'), 'utf8');
    share(directoryAt(second)).adopt(await share(directoryAt(first)).offer());
    assert.equal(readFileSync(join(second, 'root.key'), 'utf8'), before);
  });

  test('comes to a gateway of an earlier version without losing the CA that its clients know', async () => {
    const [first, second] = [fresh(), fresh()];
    const { certificate } = await earlierAuthority(second, START);
    share(directoryAt(second)).adopt(await share(directoryAt(first)).offer());
    assert.equal(directoryAt(second).before, certificate);
  });

  test('without its key, because that is kept offline, leaves no key of another root behind', async () => {
    const [first, second] = [fresh(), fresh()];
    const root = directoryAt(first);
    await root.prepareRoot();
    rmSync(join(first, 'root.key'));
    const offered = await share(root).offer();
    assert.deepEqual(Object.keys(offered), ['certificate']);
    const other = directoryAt(second);
    await other.prepareRoot();
    assert.equal(other.rootOnline, true);
    share(other).adopt(offered);
    assert.equal(other.rootOnline, false);
    assert.equal(other.root.pem, offered.certificate);
  });

  test('is not taken over by a gateway that issued below another, nor with another secret', async () => {
    const [first, second, third] = [fresh(), fresh(), fresh()];
    const offered = await share(directoryAt(first)).offer();
    const other = await open(second);
    assert.throws(() => share(directoryAt(second)).adopt(offered), {
      code: 'state-conflict',
      message: /another installation/,
    });
    assert.equal((await open(second)).certificate, other.certificate);
    assert.throws(() => share(directoryAt(third), `${SECRET}!`).adopt(offered), { code: 'state-sealed' });
    assert.throws(() => new RootShare(directoryAt(third), access, 'short'), { code: 'state-sealed' });
    // Sealed for this root: another certificate with it opens nothing.
    const [elsewhere] = [await share(directoryAt(fresh())).offer()];
    assert.throws(() => share(directoryAt(third)).adopt({ ...offered, certificate: elsewhere.certificate }), {
      code: 'state-sealed',
    });
  });
});
