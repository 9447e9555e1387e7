// What the authority signs, whom it vouches for and whom enrolment lets in, at the edges where others went wrong.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR } from '#gateway/identity/terminal';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { connectorOf, EnrolmentDesk } from '#gateway/pki/enrolment';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { Seal } from '#gateway/state/seal';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-04T10:00:00Z');
const EC = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGN = { name: 'ECDSA', hash: 'SHA-256' };
const directory = mkdtempSync(join(tmpdir(), 'sallyport-authority-'));
let time = START;
const now = (): number => time;
let authority: Authority;
let store: EmbeddedStore;
let desk: EnrolmentDesk;

type Keys = Awaited<ReturnType<typeof crypto.subtle.generateKey>> & { privateKey: never; publicKey: never };
const keyPair = async (): Promise<Keys> =>
  (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as Keys;

before(async () => {
  authority = await openAuthority(join(directory, 'ca'), 'Test CA', now);
  store = openEmbeddedStore(join(directory, 'state'), now);
  desk = new EnrolmentDesk({ store, authority, trustDomain: 'test.internal', certificateLife: DAY, now });
});
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function request(): Promise<string> {
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=x',
    keys: await keyPair(),
    signingAlgorithm: SIGN,
  });
  return made.toString('pem');
}

const issue = async (csr?: string): Promise<string> => {
  const uri = 'spiffe://test.internal/connector/rack-1';
  const grant = { kind: 'admin', id: 'test' } as const;
  const wish = { csr: csr ?? (await request()), uri, life: HOUR, grant };
  return (await authority.issueClient(wish)).certificate;
};

describe('what is signed', () => {
  for (const [what, pathLength, days] of [
    ['root', 1, 3650],
    ['intermediate', 0, 90],
  ] as const) {
    test(`the ${what} may have ${pathLength} CAs below it, for ${days} days, from five minutes ago`, () => {
      const [intermediate = ''] = authority.intermediates;
      const ca = new x509.X509Certificate(what === 'root' ? authority.certificate : intermediate);
      const constraints = ca.getExtension(x509.BasicConstraintsExtension);
      assert.deepEqual([constraints?.ca, constraints?.pathLength], [true, pathLength]);
      assert.equal(constraints?.critical, true);
      const usage = ca.getExtension(x509.KeyUsagesExtension);
      const signing = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
      assert.deepEqual([usage?.usages, usage?.critical], [signing, true]);
      assert.equal(ca.notBefore.getTime(), START - 300_000);
      assert.equal(ca.notAfter.getTime(), START - 300_000 + days * DAY);
      assert.match(ca.serialNumber, /^[4-7][0-9a-f]{31}$/);
    });
  }
  test('a leaf is none, says so where nobody may overlook it, and is numbered at random', async () => {
    for (let i = 0; i < 12; i += 1) {
      const leaf = new x509.X509Certificate(await issue());
      const constraints = leaf.getExtension(x509.BasicConstraintsExtension);
      assert.deepEqual([constraints?.ca, constraints?.critical], [false, true]);
      const usage = leaf.getExtension(x509.KeyUsagesExtension);
      assert.deepEqual([usage?.usages, usage?.critical], [x509.KeyUsageFlags.digitalSignature, true]);
      assert.equal(leaf.getExtension(x509.ExtendedKeyUsageExtension)?.critical, false);
      assert.equal(leaf.getExtension(x509.SubjectAlternativeNameExtension)?.critical, false);
      assert.match(leaf.serialNumber, /^[4-7][0-9a-f]{31}$/);
      assert.equal(leaf.notBefore.getTime(), time - 300_000);
    }
  });
  test('a server is called by its first name, cut to what the field holds', async () => {
    const { certificate } = await authority.issueServer(['a.example', 'b.example'], HOUR);
    assert.equal(new X509Certificate(certificate).subject, 'CN=a.example');
    const long = `${'a'.repeat(60)}.example.com`;
    const cut = new X509Certificate((await authority.issueServer([long], HOUR)).certificate).subject;
    assert.equal(cut, `CN=${long.slice(0, 64)}`);
  });
  test('a request may have 8192 characters and not one more', async () => {
    const csr = (await request()).trim();
    await issue(csr.padEnd(8192, '\n'));
    await assert.rejects(issue(csr.padEnd(8193, '\n')), { code: 'bad-csr', message: /8192/ });
  });
  test('a request whose signature is of no known kind is refused, not an accident', async () => {
    const der = Buffer.from((await request()).replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const kind = Buffer.from('06082a8648ce3d040302', 'hex');
    der[der.lastIndexOf(kind) + kind.length - 1] = 9;
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    await assert.rejects(issue(pem), { code: 'bad-csr' });
  });
  test('nothing is signed with a key that others could read', async () => {
    const loose = join(directory, 'loose');
    await openAuthority(loose, 'Loose', now);
    chmodSync(loose, 0o755);
    await assert.rejects(openAuthority(loose, 'Loose', now), { code: 'loose-mode' });
    chmodSync(loose, 0o700);
    for (const file of globSync('{issuing-*.key,passphrase}', { cwd: loose })) {
      chmodSync(join(loose, file), 0o640);
      await assert.rejects(openAuthority(loose, 'Loose', now), { code: 'loose-mode' }, file);
      chmodSync(join(loose, file), 0o600);
    }
  });
});

describe('who is vouched for', () => {
  test('from the first moment of its time to the last, and not at the next', async () => {
    const certificate = new X509Certificate(await issue());
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    const seen: boolean[] = [];
    for (const at of [from - 1, from, to - 1, to]) {
      time = at;
      seen.push(authority.vouchesFor(certificate));
    }
    time = START;
    assert.deepEqual(seen, [false, true, true, false]);
  });
  test('a certificate that another certificate of ours signed is nobody’s', async () => {
    const keys = await keyPair();
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=x',
      keys,
      signingAlgorithm: SIGN,
    });
    const parent = new x509.X509Certificate(await issue(csr.toString('pem')));
    const child = await x509.X509CertificateGenerator.create({
      ...{
        subject: 'CN=child',
        issuer: parent.subjectName,
        publicKey: (await keyPair()).publicKey,
        signingKey: keys.privateKey,
      },
      ...{ notBefore: new Date(time - HOUR), notAfter: new Date(time + HOUR), signingAlgorithm: SIGN },
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: 'spiffe://test.internal/connector/rack-1' },
        ]),
      ],
    });
    assert.equal(authority.vouchesFor(new X509Certificate(Buffer.from(child.rawData))), false);
  });
  test('a name of another kind, another usage or an authority’s mark admits nobody', async () => {
    const root = new x509.X509Certificate(authority.certificate);
    const signingKey = (await keyPair()).privateKey;
    const uri = 'spiffe://test.internal/connector/rack-1';
    const names: x509.JsonGeneralNames[] = [
      [{ type: 'dns', value: uri }],
      [{ type: 'email', value: `${uri}@x` }],
      [
        { type: 'url', value: uri },
        { type: 'url', value: `${uri}0` },
      ],
      [
        { type: 'url', value: uri },
        { type: 'dns', value: 'rack-1' },
      ],
      [{ type: 'dns', value: `x, URI:${uri}` }],
      [{ type: 'url', value: `${uri}\0.evil` }],
      [{ type: 'ip', value: '127.0.0.1' }],
    ];
    for (const name of names) {
      const made = await x509.X509CertificateGenerator.create({
        ...{
          subject: 'CN=rack-1',
          issuer: root.subjectName,
          publicKey: (await keyPair()).publicKey,
          signingKey,
        },
        ...{ notBefore: new Date(time - HOUR), notAfter: new Date(time + HOUR), signingAlgorithm: SIGN },
        extensions: [
          new x509.SubjectAlternativeNameExtension(name),
          new x509.BasicConstraintsExtension(true),
        ],
      });
      const { subjectAltName, serialNumber } = new X509Certificate(Buffer.from(made.rawData));
      assert.equal(connectorOf(subjectAltName, 'test.internal'), undefined, String(subjectAltName));
      // And one that has the right name all the same was never enrolled.
      assert.equal(await desk.admits('rack-1', serialNumber), false);
    }
  });
});

describe('who is let in', () => {
  const refill = (token: string, change: (claims: Record<string, unknown>) => object): string => {
    const [prefix, payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return `${prefix}.${Buffer.from(JSON.stringify({ ...claims, ...change(claims) })).toString('base64url')}`;
  };
  test('a token of the longest length, and none that is longer or without its mark', async () => {
    const { token } = await desk.createToken('long', HOUR, 'admin');
    const length = (filler: number): string => refill(token, () => ({ filler: 'x'.repeat(filler) }));
    let filler = 0;
    while (length(filler).length < 4096) filler += 1;
    assert.equal(length(filler).length, 4096);
    await assert.rejects(desk.enrol(length(filler + 3), await request()), { code: 'token-malformed' });
    await assert.rejects(desk.enrol(token.replace('sallyport-enrol.', 'sallyport-login.'), await request()), {
      code: 'token-malformed',
    });
    assert.equal((await desk.enrol(length(filler), await request())).name, 'long');
  });
  test('a token that ends this very moment has ended', async () => {
    const { token, expiresAt } = await desk.createToken('punctual', HOUR, 'admin');
    time = expiresAt;
    await assert.rejects(desk.enrol(token, await request()), { code: 'token-expired' });
    time = START;
  });
  test('who was revoked may neither connect nor renew, also in the middle of it, and enrols anew', async () => {
    const { token } = await desk.createToken('gone', HOUR, 'admin');
    const first = await desk.enrol(token, await request());
    assert.equal(await desk.admits('gone', first.serial), true);
    assert.equal(await desk.revoke('gone'), true);
    assert.equal(await desk.revoke('nobody'), false);
    assert.equal(await desk.admits('gone', first.serial), false);
    const late = desk.renew('gone', first.serial, await request(), first.certificate);
    await assert.rejects(late, { code: 'connector-revoked' });
    const again = await desk.enrol((await desk.createToken('gone', HOUR, 'admin')).token, await request());
    assert.deepEqual(
      [await desk.admits('gone', again.serial), await desk.admits('gone', first.serial)],
      [true, false],
    );
    // Revoked while its renewal is under way: the look before it saw nothing of that.
    const blind = new EnrolmentDesk({
      ...{ authority, trustDomain: 'test.internal', certificateLife: DAY, now },
      store: Object.assign(Object.create(store) as EmbeddedStore, {
        get: async (...[kind, key]: Parameters<EmbeddedStore['get']>) => {
          const seen = await store.get(kind, key);
          await desk.revoke('gone');
          return seen;
        },
        update: store.update.bind(store),
      }),
    });
    await assert.rejects(blind.renew('gone', again.serial, await request(), again.certificate), {
      code: 'connector-revoked',
    });
    assert.equal(await desk.admits('gone', again.serial), false);
  });
  test('of one name sixty-four certificates are good at once, the newest, each to its last moment', async () => {
    const { token } = await desk.createToken('many', HOUR, 'admin');
    const { certificate, serial } = await desk.enrol(token, await request());
    const serials = [serial];
    const csr = await request();
    const renew = () => desk.renew('many', serials.at(-1) ?? '', csr, certificate);
    for (let i = 0; i < 65; i += 1) serials.push((await renew()).serial);
    const good = await Promise.all(serials.map((serial) => desk.admits('many', serial)));
    assert.deepEqual(good, [false, false, ...Array<boolean>(64).fill(true)]);
    const known = await store.get('connector', 'many');
    time = known?.certificates[0]?.notAfter ?? 0;
    await renew();
    assert.equal((await store.get('connector', 'many'))?.certificates.length, 1);
    assert.equal((await store.get('connector', 'many'))?.enrolledAt, START);
    time = START;
  });
});

test('no two seals of the same text are alike', () => {
  const [one, two] = [
    new Seal('a secret of more than thirty-two characters'),
    new Seal('a secret of more than thirty-two characters'),
  ];
  const seen = new Set<string>();
  for (let i = 0; i < 20_000; i += 1)
    seen.add((i % 2 === 0 ? one : two).close('session:1', 'text').slice(0, 16));
  assert.equal(seen.size, 20_000);
});

test('what opens one door opens no other', async () => {
  const sessions = new Sessions(store, { idle: HOUR, absolute: DAY }, now, async () => undefined);
  const session = await sessions.start(
    { kind: 'user', id: 'i#1', groups: [], roles: [] },
    { provider: 'p', at: time },
    '192.0.2.1',
  );
  const browser = await sessions.openDoor(session, 'wiki.example.com');
  const terminal = await sessions.openDoor(session, CLI_DOOR);
  assert.equal(await sessions.find(browser.value, CLI_DOOR), undefined);
  assert.equal(await sessions.find(terminal.value, 'wiki.example.com'), undefined);
  assert.equal((await sessions.find(terminal.value, CLI_DOOR))?.id, session.id);
  const { token } = await desk.createToken('door', HOUR, 'admin');
  assert.equal(await sessions.find(token, CLI_DOOR), undefined);
});
