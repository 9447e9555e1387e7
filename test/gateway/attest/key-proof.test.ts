// The key of a certificate is said to be in a TPM only when a TPM proved it for this very request; every other story is
// refused with its own code, and a certificate without a proof says that its key is in a file.
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { certifiableKey } from '#connectors/device/certified-key';
import { TpmError } from '#connectors/device/tpm/error';
import type { EnrolChallenge } from '#connectors/wire/evidence';
import { parseCertificate } from '#gateway/attest/certificate';
import { Endorsements } from '#gateway/attest/endorsements';
import { KeyProofs } from '#gateway/attest/key-proof';
import type { ReasonCode } from '#gateway/attest/reasons';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk, type IssuedTo } from '#gateway/pki/enrolment';
import { keyOriginOf } from '#gateway/pki/key-origin';
import { TPM_NEEDS, TpmMaker } from '#test/connectors/device/swtpm';
import { requires } from '#test/requires';
import { BAD_KEY_PROOFS } from './bad-key-proofs.ts';
import { EndorsementCa } from './endorsement-ca.ts';
import { answer, type Changed, offerOf, requestOf } from './key-evidence.ts';
import { Laboratory, refusal } from './laboratory.ts';
import { publicArea, SESSION_TEMPLATE, SoftwareTpm } from './software-tpm.ts';

const HOUR = 3_600_000;
const root = mkdtempSync(join(tmpdir(), 'sallyport-key-proof-'));
after(() => rmSync(root, { recursive: true, force: true }));

let lab: Laboratory;
let authority: Authority;
let desk: EnrolmentDesk;
let proofs: KeyProofs;
const now = (): number => lab.time;
before(async () => {
  lab = new Laboratory();
  authority = await openAuthority(join(root, 'ca'), 'Test', now);
  await lab.close();
});
beforeEach(() => {
  lab = new Laboratory();
  const { store } = lab;
  proofs = new KeyProofs({ store, endorsements: () => lab.endorsements, challengeLife: 60_000, now });
  desk = new EnrolmentDesk({
    ...{ store, authority, now, keys: proofs },
    trustDomain: 'test.internal',
    certificateLife: HOUR,
  });
});
afterEach(() => lab.close());

const token = async (name = 'service/billing'): Promise<string> =>
  (await desk.createToken(name, HOUR, 'admin')).token;
const originOf = ({ certificate }: IssuedTo): string =>
  keyOriginOf(parseCertificate(new X509Certificate(certificate).raw));

async function enrolled(tpm: SoftwareTpm, changed: Changed = {}): Promise<IssuedTo> {
  const csr = await requestOf(tpm.session);
  return desk.enrol(await token(), csr, answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr, changed));
}

describe('an honest proof', () => {
  for (const [ek, ak] of [
    ['p256', 'ecc'],
    ['p384', 'rsa'],
    ['rsa', 'pss'],
  ] as const) {
    test(`by an EK of ${ek} and an AK of ${ak} is in the certificate, and kept with it`, async () => {
      const issued = await enrolled(new SoftwareTpm(ek, ak));
      assert.equal(issued.key, 'tpm');
      assert.equal(originOf(issued), 'tpm');
      const kept = await lab.store.get('connector', 'service/billing');
      assert.deepEqual(
        kept?.certificates.map(({ key }) => key),
        ['tpm'],
      );
    });
  }

  test('is for one certificate: the next one says file unless it is proved, too', async () => {
    const tpm = new SoftwareTpm();
    const first = await enrolled(tpm);
    const csr = await requestOf(tpm.session);
    const plain = await desk.renew('service/billing', first.serial, csr, first.certificate);
    assert.equal(originOf(plain), 'file', 'even of the same key, which nobody proved again');
    const again = answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr);
    const { serial, certificate } = plain;
    assert.equal(originOf(await desk.renew('service/billing', serial, csr, certificate, again)), 'tpm');
    const other = await requestOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const unproved = await desk.renew('service/billing', serial, other, certificate);
    assert.equal(originOf(unproved), 'file');
  });

  test('is for connectors as for services', async () => {
    const tpm = new SoftwareTpm();
    const csr = await requestOf(tpm.session);
    const proof = answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr);
    assert.equal(originOf(await desk.enrol(await token('rack-1'), csr, proof)), 'tpm');
  });
});

describe('a proof is refused', () => {
  let tpm: SoftwareTpm;
  beforeEach(() => {
    tpm = new SoftwareTpm();
  });

  for (const [what, code, changed] of BAD_KEY_PROOFS) {
    test(`${what}: ${code}`, async () => {
      await assert.rejects(enrolled(tpm, changed(tpm)), refusal(code));
      assert.equal(await lab.store.get('connector', 'service/billing'), undefined, 'nothing was issued');
    });
  }

  test('of the attestation key itself: bound-key-is-ak', async () => {
    const csr = await requestOf(tpm.ak);
    const challenge = await proofs.begin(offerOf(tpm, lab.ca));
    const proof = answer(tpm, challenge, csr, { area: tpm.akPublic });
    await assert.rejects(desk.enrol(await token(), csr, proof), refusal('bound-key-is-ak'));
  });

  test('a second time, or by the second of two at once: challenge-burnt', async () => {
    const csr = await requestOf(tpm.session);
    const proof = answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr);
    const tokens = await Promise.all(Array.from({ length: 10 }, () => token()));
    const outcomes = await Promise.allSettled(tokens.map((one) => desk.enrol(one, csr, proof)));
    const failed = outcomes.filter((one) => one.status === 'rejected');
    assert.equal(failed.length, 9);
    for (const { reason } of failed) refusal('challenge-burnt')(reason);
  });

  test('too late: challenge-expired', async () => {
    const csr = await requestOf(tpm.session);
    const proof = answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr);
    lab.time += 60_000;
    await assert.rejects(desk.enrol(await token(), csr, proof), refusal('challenge-expired'));
  });

  test('of a TPM that an admin revoked, also between credential and proof: device-revoked', async () => {
    const { device } = await lab.enrol(tpm);
    const csr = await requestOf(tpm.session);
    const proof = answer(tpm, await proofs.begin(offerOf(tpm, lab.ca)), csr);
    await lab.verifier.revoke(device, 'admin');
    await assert.rejects(desk.enrol(await token(), csr, proof), refusal('device-revoked'));
    await assert.rejects(proofs.begin(offerOf(tpm, lab.ca)), refusal('device-revoked'));
  });
});

describe('a TPM gets no credential', () => {
  const OFFERS: readonly (readonly [
    what: string,
    code: ReasonCode,
    offer: (tpm: SoftwareTpm) => Parameters<KeyProofs['begin']>[0],
  ])[] = [
    ['without a certificate', 'ek-certificate-missing', ({ ekPublic, akPublic }) => ({ ekPublic, akPublic })],
    [
      'of a maker who is not trusted',
      'ek-chain-untrusted',
      (tpm) => offerOf(tpm, new EndorsementCa('Nobody')),
    ],
    [
      'whose certificate is for another key',
      'ek-certificate-other-key',
      (tpm) => ({ ...offerOf(tpm, lab.ca), ekCertificate: lab.ca.endorse(new SoftwareTpm().ek.publicKey) }),
    ],
    [
      'with an attestation key that signs anything',
      'ak-not-restricted',
      (tpm) => ({ ...offerOf(tpm, lab.ca), akPublic: tpm.sessionPublic }),
    ],
    ['where no maker is trusted', 'ek-chain-untrusted', (tpm) => offerOf(tpm, lab.ca)],
  ];
  for (const [what, code, offer] of OFFERS) {
    test(`${what}: ${code}`, async () => {
      if (what.startsWith('where')) lab.endorsements = new Endorsements({ roots: [] });
      const tpm = new SoftwareTpm();
      await assert.rejects(proofs.begin(offer(tpm)), refusal(code));
    });
  }

  test('that was made for one is of no use to another', async () => {
    const challenge = await proofs.begin(offerOf(new SoftwareTpm(), lab.ca));
    const other = new SoftwareTpm();
    assert.throws(() => other.activate(challenge.credentialBlob, challenge.encryptedSecret), /INTEGRITY/);
  });
});

describe('a real TPM', { skip: requires(...TPM_NEEDS) }, () => {
  test('proves a key that it made and keeps, and no other', async () => {
    const maker = new TpmMaker(join(root, 'maker'));
    const tpm = await maker.make(join(root, 'tpm'));
    const other = await maker.make(join(root, 'other'));
    lab.time = Date.now();
    const der = (file: string): Buffer => new X509Certificate(readFileSync(file)).raw;
    lab.endorsements = new Endorsements({
      roots: [der(maker.root)],
      intermediates: [der(maker.intermediate)],
    });
    const offer: Parameters<Awaited<ReturnType<typeof certifiableKey>>['prove']>[0] = (keys) =>
      proofs.begin(keys as Parameters<KeyProofs['begin']>[0]).then(encoded);
    try {
      const key = await certifiableKey(tpm.address);
      const issued = await desk.enrol(await token(), key.csr, await key.prove(offer));
      assert.equal(originOf(issued), 'tpm');
      assert.match(key.key, /BEGIN TSS2 PRIVATE KEY/);

      const again = await certifiableKey(tpm.address, key.key);
      assert.deepEqual(again.spki, key.spki, 'its file opens it again');
      const renewed = await desk.renew(
        'service/billing',
        issued.serial,
        again.csr,
        issued.certificate,
        await again.prove(offer),
      );
      assert.equal(originOf(renewed), 'tpm');

      // A key in a file that claims to be in the TPM: the TPM speaks for its own key, and only for its own request.
      const file = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const csr = await requestOf(file);
      const honest = await (await certifiableKey(tpm.address)).prove(offer);
      await assert.rejects(desk.enrol(await token(), csr, honest), refusal('bound-key-other'));
      const area = publicArea(file.publicKey, SESSION_TEMPLATE);
      const forged = { ...(await key.prove(offer)), public: area };
      await assert.rejects(desk.enrol(await token(), csr, forged), refusal('bound-key-other'));

      await assert.rejects(
        certifiableKey(other.address, key.key),
        (error) => error instanceof TpmError && error.code === 'key-lost',
        'its file is of no use to another TPM',
      );
    } finally {
      await tpm.off();
      await other.off();
    }
  });
});

/** As it goes over the wire. */
function encoded({ enrolment, credentialBlob, encryptedSecret }: EnrolChallenge): object {
  const text = (bytes: Buffer): string => bytes.toString('base64url');
  return { enrolment, credentialBlob: text(credentialBlob), encryptedSecret: text(encryptedSecret) };
}
