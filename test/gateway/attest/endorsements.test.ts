// Which chains of endorsement certificates are followed, and which configurations are refused at once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Endorsements } from '#gateway/attest/endorsements';
import { parsePublicArea } from '#gateway/attest/public-area';
import type { ReasonCode } from '#gateway/attest/reasons';
import { AttestationRefusal } from '#gateway/attest/refusal';
import {
  basicConstraints,
  EndorsementCa,
  endorsementExtensions,
  fingerprint,
  keyUsage,
  UNKNOWN_CRITICAL,
} from './endorsement-ca.ts';
import { SoftwareTpm } from './software-tpm.ts';

const NOW = Date.UTC(2026, 5, 1);
const YEAR = 365 * 86_400_000;
const tpm = new SoftwareTpm();
const rsa = new SoftwareTpm('rsa');
const ek = parsePublicArea(tpm.ekPublic);

function refuses(run: () => unknown, code: ReasonCode): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof AttestationRefusal, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

describe('endorsement chains', () => {
  const root = new EndorsementCa('Root');
  const middle = new EndorsementCa('Middle', root);
  const issuer = new EndorsementCa('Issuer', middle);
  const sources = { roots: [root.certificate], intermediates: [issuer.certificate, middle.certificate] };

  test('are followed over intermediates to a root, for keys of both kinds', () => {
    const endorsements = new Endorsements(sources);
    const der = issuer.endorse(tpm.ek.publicKey);
    assert.deepEqual(endorsements.check(der, ek, NOW), {
      certificate: fingerprint(der),
      chain: [issuer, middle, root].map(({ certificate }) => ({
        issuer: fingerprint(certificate),
        serial: '07',
      })),
      root: fingerprint(root.certificate),
      manufacturer: 'id:53594C4C',
      model: 'Model 7',
      version: 'id:00070055',
      notAfter: NOW + YEAR,
    });
    endorsements.check(issuer.endorse(rsa.ek.publicKey), parsePublicArea(rsa.ekPublic), NOW);
  });

  test('end at an intermediate only if it is configured as a root', () => {
    const der = issuer.endorse(tpm.ek.publicKey);
    const { intermediates } = sources;
    refuses(() => new Endorsements({ roots: [], intermediates }).check(der, ek, NOW), 'ek-chain-untrusted');
    refuses(() => new Endorsements({ roots: [root.certificate] }).check(der, ek, NOW), 'ek-chain-untrusted');
    new Endorsements({ roots: [issuer.certificate] }).check(der, ek, NOW);
  });

  test('may come with the TPM, and count as far as a configured root vouches for them', () => {
    const endorsements = new Endorsements({ roots: [root.certificate] });
    const der = issuer.endorse(tpm.ek.publicKey);
    const supplied = [issuer.certificate, middle.certificate];
    const accepted = endorsements.check(der, ek, NOW, supplied);
    assert.deepEqual(
      accepted.chain.map((link) => link.supplied),
      [true, true, undefined],
    );
    endorsements.recheck(accepted, NOW);
    refuses(() => endorsements.check(der, ek, NOW, [issuer.certificate]), 'ek-chain-untrusted');
    refuses(
      () => new Endorsements({ roots: [] }).check(der, ek, NOW, [...supplied, root.certificate]),
      'ek-chain-untrusted',
    );
    refuses(() => endorsements.check(der, ek, NOW, [Buffer.alloc(5)]), 'ek-certificate-malformed');
    // What was configured once has to stay so; what came with the TPM has not.
    const configured = new Endorsements(sources).check(der, ek, NOW);
    refuses(() => endorsements.recheck(configured, NOW), 'ek-chain-untrusted');
    const revoking = new Endorsements({ roots: [root.certificate], revocationLists: [root.revoke([7])] });
    refuses(() => revoking.check(der, ek, NOW, supplied), 'ek-certificate-revoked');
    refuses(() => revoking.recheck(accepted, NOW), 'ek-certificate-revoked');
  });

  test('that sign each other crosswise are each tried once', () => {
    const key = new EndorsementCa('Same');
    const spki = key.keys.publicKey.export({ format: 'der', type: 'spki' });
    const supplied = [1, 2, 3, 4, 5, 6, 7, 8].map((serial) =>
      key.issue({ serial, subject: 'Same', spki, extensions: [basicConstraints(true), keyUsage(0x06)] }),
    );
    // Tried in every order they would take tens of thousands of signatures.
    const endorsements = new Endorsements({ roots: [root.certificate] });
    refuses(() => endorsements.check(key.endorse(tpm.ek.publicKey), ek, NOW, supplied), 'ek-chain-untrusted');
  });

  test('that go in a circle or are too long are given up', () => {
    const a = new EndorsementCa('A');
    const b = new EndorsementCa('B', a);
    const crossed = b.issue({
      subject: 'A',
      spki: a.keys.publicKey.export({ format: 'der', type: 'spki' }),
      extensions: [basicConstraints(true), keyUsage(0x06)],
    });
    const circle = new Endorsements({ roots: [], intermediates: [crossed, b.certificate] });
    refuses(() => circle.check(a.endorse(tpm.ek.publicKey), ek, NOW), 'ek-chain-untrusted');
    let last = root;
    const intermediates: Buffer[] = [];
    for (let depth = 0; depth < 7; depth += 1) {
      last = new EndorsementCa(`CA ${depth}`, last);
      intermediates.push(last.certificate);
    }
    const long = new Endorsements({ roots: [root.certificate], intermediates });
    refuses(() => long.check(last.endorse(tpm.ek.publicKey), ek, NOW), 'ek-chain-untrusted');
  });

  test('are checked in time at every link', () => {
    const endorsements = new Endorsements(sources);
    const der = issuer.endorse(tpm.ek.publicKey, { notAfter: NOW + 9 * YEAR });
    refuses(() => endorsements.check(der, ek, NOW + 2 * YEAR), 'ek-certificate-expired');
    refuses(() => endorsements.check(der, ek, NOW - 2 * YEAR), 'ek-certificate-not-yet-valid');
  });

  test('with a revoked intermediate are refused, also after enrolment', () => {
    const der = issuer.endorse(tpm.ek.publicKey);
    const before = new Endorsements(sources);
    const accepted = before.check(der, ek, NOW);
    before.recheck(accepted, NOW);
    // The test CA gives every certificate the serial number 7.
    for (const list of [issuer.revoke([7]), middle.revoke([7]), root.revoke([7])]) {
      const endorsements = new Endorsements({ ...sources, revocationLists: [list] });
      refuses(() => endorsements.check(der, ek, NOW), 'ek-certificate-revoked');
      refuses(() => endorsements.recheck(accepted, NOW), 'ek-certificate-revoked');
    }
    const others = new Endorsements({ ...sources, revocationLists: [middle.revoke([8])] });
    others.check(der, ek, NOW);
    others.recheck(accepted, NOW);
    refuses(() => others.recheck(accepted, NOW + 2 * YEAR), 'ek-certificate-expired');
  });

  test('end with any of their certificates, also after enrolment', () => {
    const other = new EndorsementCa('Middle', root);
    const spki = (ca: EndorsementCa): Buffer => ca.keys.publicKey.export({ format: 'der', type: 'spki' });
    const extensions = [basicConstraints(true), keyUsage(0x06)];
    const renewed = (of: EndorsementCa, by: EndorsementCa): Buffer =>
      by.issue({ subject: of.common, spki: spki(of), extensions, notAfter: NOW + 9 * YEAR });
    const der = issuer.endorse(tpm.ek.publicKey, { notAfter: NOW + 9 * YEAR });
    const accepted = new Endorsements(sources).check(der, ek, NOW);
    const later = NOW + 2 * YEAR;
    const roots = [root.certificate, renewed(root, root)];
    const middles = [middle.certificate, renewed(middle, root)];
    const issuers = [issuer.certificate, renewed(issuer, middle)];
    const all = { roots, intermediates: [...middles, ...issuers] };
    // As they are beside those that renew them the machine stays; with any of them left out it does not.
    new Endorsements(all).recheck(accepted, later);
    new Endorsements(all).check(der, ek, later);
    for (const ended of [
      sources,
      { ...all, roots: [root.certificate] },
      { ...all, roots: [root.certificate], intermediates: [...all.intermediates, renewed(root, root)] },
      { ...all, intermediates: [middle.certificate, ...issuers] },
      { ...all, intermediates: [middle.certificate, renewed(other, root), ...issuers] },
      { ...all, intermediates: [...middles, issuer.certificate] },
    ])
      refuses(() => new Endorsements(ended).recheck(accepted, later), 'ek-certificate-expired');
    // What came with the TPM ends, too.
    const own = { roots };
    const supplied = [issuer.certificate, renewed(middle, root)];
    const brought = new Endorsements(own).check(der, ek, NOW, supplied);
    refuses(() => new Endorsements(own).recheck(brought, later), 'ek-certificate-expired');
  });

  test('are told of before they end, but for what was renewed', () => {
    const renewal = root.issue({
      ...{ subject: 'Root', spki: root.keys.publicKey.export({ format: 'der', type: 'spki' }) },
      ...{ extensions: [basicConstraints(true), keyUsage(0x06)], notAfter: NOW + 9 * YEAR },
    });
    const endorsements = new Endorsements({ ...sources, roots: [root.certificate, renewal] });
    assert.deepEqual(endorsements.endingBy(NOW + YEAR - 1000), []);
    assert.deepEqual(endorsements.endingBy(NOW + YEAR), sources.intermediates);
    assert.deepEqual(endorsements.endingBy(NOW + 9 * YEAR), [renewal, ...sources.intermediates]);
  });

  test('may have an issuer who renewed its certificate', () => {
    const weak = new EndorsementCa('Issuer', middle, [basicConstraints(false)]);
    const both = { ...sources, intermediates: [weak.certificate, ...sources.intermediates] };
    new Endorsements(both).check(issuer.endorse(tpm.ek.publicKey), ek, NOW);
  });

  test('take no CA that may not sign certificates', () => {
    for (const extensions of [[basicConstraints(true)], [basicConstraints(true), keyUsage(0x80)], []]) {
      const odd = new EndorsementCa('Odd', root, extensions);
      const endorsements = new Endorsements({ roots: [root.certificate], intermediates: [odd.certificate] });
      refuses(() => endorsements.check(odd.endorse(tpm.ek.publicKey), ek, NOW), 'ek-issuer-not-ca');
    }
  });

  test('take no CA with a critical extension that is not known', () => {
    const odd = new EndorsementCa('Odd', root, [basicConstraints(true), keyUsage(0x06), UNKNOWN_CRITICAL]);
    const endorsements = new Endorsements({ roots: [root.certificate], intermediates: [odd.certificate] });
    refuses(
      () => endorsements.check(odd.endorse(tpm.ek.publicKey), ek, NOW),
      'ek-certificate-critical-extension',
    );
  });

  test('with an extension twice are refused', () => {
    const extensions = [...endorsementExtensions('ecc'), basicConstraints(false)];
    const der = root.endorse(tpm.ek.publicKey, { extensions });
    refuses(() => new Endorsements(sources).check(der, ek, NOW), 'ek-certificate-critical-extension');
  });

  test('every truncation and every changed byte of a certificate is refused', () => {
    const endorsements = new Endorsements({ roots: [root.certificate] });
    const der = root.endorse(tpm.ek.publicKey);
    for (let at = 0; at < der.length; at += 1) {
      const flipped = Buffer.from(der);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 0x01, at);
      for (const bad of [der.subarray(0, at), flipped]) {
        assert.throws(() => endorsements.check(bad, ek, NOW), AttestationRefusal, `byte ${at}`);
      }
    }
  });
});
