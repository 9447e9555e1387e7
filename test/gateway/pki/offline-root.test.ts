// A root that is kept elsewhere: what a gateway asks it for, what it takes from it, and what it does not.
import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pem } from '#connectors/wire/der-writer';
import { openAuthority } from '#gateway/pki/authority';
import { AuthorityDirectory } from '#gateway/pki/authority-directory';
import { readRequest, type SigningRequest } from '#gateway/pki/signing-request';
import {
  certify,
  type Holder,
  authority as makeAuthority,
  USAGE,
} from '#test/gateway/identity/service-certificates';

const HOUR = 3_600_000;
const START = Date.parse('2026-03-04T10:00:00Z');
const OURS = { trustDomain: 'sallyport.internal', hosts: ['gw.example'] };
const unfit = (message: RegExp): object => ({ code: 'intermediate-unfit', message });
const place = mkdtempSync(join(tmpdir(), 'sallyport-offline-'));
after(() => rmSync(place, { recursive: true, force: true }));
const clock = { time: START };

function fresh(): AuthorityDirectory {
  return new AuthorityDirectory(mkdtempSync(join(place, 'one-')), 'Test', { now: () => clock.time });
}

async function vault(): Promise<AuthorityDirectory> {
  const root = fresh();
  await root.makeRoot();
  return root;
}

/** What a CA of somebody's own says of the key that waits. */
async function signedBy(
  issuer: Holder,
  { publicKey }: SigningRequest,
  wanted: Parameters<typeof certify>[3],
): Promise<string> {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  const keys = { publicKey: key } as webcrypto.CryptoKeyPair;
  return (await certify('issuing', keys, issuer, wanted, START)).certificate.toString('pem');
}

describe('a gateway without the root’s key', () => {
  test('signs no intermediate, and makes none, and the key that waits goes on waiting', async () => {
    const root = await vault();
    const here = fresh();
    const csr = readRequest(await here.requestIntermediate());
    here.importIntermediate(await root.signIntermediate(csr, OURS), root.root.pem);
    const waiting = readRequest(await here.requestIntermediate());
    const offline = { code: 'root-offline' };
    await assert.rejects(here.makeIntermediate(), offline);
    await assert.rejects(here.renewIntermediate(), offline);
    await assert.rejects(here.signIntermediate(waiting, OURS), offline);
    const authority = await openAuthority(here.path, 'Test', () => START);
    await assert.rejects(authority.rotate(), offline);
    // What was asked for before all that is taken when it comes.
    here.importIntermediate(await root.signIntermediate(waiting, OURS));
    assert.equal(here.intermediates.length, 2);
  });

  test('asks again with the same key', async () => {
    const here = fresh();
    const [one, two] = [await here.requestIntermediate(), await here.requestIntermediate()];
    assert.equal(readRequest(one).publicKey.equals(readRequest(two).publicKey), true);
  });
});

describe('an intermediate that comes back', () => {
  test('is of the root that is here, if one comes along it is the same', async () => {
    const [root, other] = [await vault(), await vault()];
    const here = fresh();
    const sign = async (): Promise<string> =>
      root.signIntermediate(readRequest(await here.requestIntermediate()), OURS);
    here.importIntermediate(await sign(), root.root.pem);
    assert.equal(existsSync(here.at('ca.pem')), true);
    assert.equal(here.root.pem, root.root.pem);
    const second = await sign();
    assert.throws(() => here.importIntermediate(second, other.root.pem), unfit(/another root/));
    here.importIntermediate(second, root.root.pem);
    assert.equal(here.intermediates.length, 2);
  });

  test('is not taken with a signature that does not hold', async () => {
    const root = await vault();
    const here = fresh();
    const good = await root.signIntermediate(readRequest(await here.requestIntermediate()), OURS);
    const der = Buffer.from(new X509Certificate(good).raw);
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    assert.throws(
      () => here.importIntermediate(pem('CERTIFICATE', der), root.root.pem),
      unfit(/did not sign it/),
    );
    assert.equal(here.intermediates.length, 0);
    assert.equal(existsSync(here.at('ca.pem')), false);
  });

  test('is not taken from a CA of the right key under another name', async () => {
    const [mine, same] = [await makeAuthority('root', START), await makeAuthority('another', START)];
    const here = fresh();
    const request = readRequest(await here.requestIntermediate());
    const renamed = { certificate: same.certificate, keys: mine.keys };
    const wanted = { ca: true, pathLength: 0, usage: USAGE.keyCertSign | USAGE.cRLSign };
    const signed = await signedBy(renamed, request, wanted);
    assert.throws(
      () => here.importIntermediate(signed, mine.certificate.toString('pem')),
      unfit(/did not sign it/),
    );
  });

  test('may sign leaves, and no CAs, and is good now', async () => {
    const root = await makeAuthority('root', START);
    const anchor = root.certificate.toString('pem');
    const here = fresh();
    const request = readRequest(await here.requestIntermediate());
    const usage = USAGE.keyCertSign | USAGE.cRLSign;
    for (const wanted of [
      { usage },
      { ca: false, usage },
      { ca: true, usage },
      { ca: true, pathLength: 1, usage },
    ]) {
      const signed = await signedBy(root, request, wanted);
      assert.throws(
        () => here.importIntermediate(signed, anchor),
        unfit(/pathLen 0/),
        JSON.stringify(wanted),
      );
    }
    const wanted = { ca: true, pathLength: 0, usage, from: START, to: START + HOUR };
    const signed = await signedBy(root, request, wanted);
    for (const time of [START - 1, START + HOUR]) {
      clock.time = time;
      assert.throws(() => here.importIntermediate(signed, anchor), unfit(/expired, or is not valid yet/));
    }
    clock.time = START;
    here.importIntermediate(signed, anchor);
    assert.equal(here.intermediates.length, 1);
    assert.throws(() => here.importIntermediate(signed), unfit(/nothing was asked for/));
  });

  test('is not taken where there is neither a root nor one beside it', async () => {
    const root = await vault();
    const here = fresh();
    const good = await root.signIntermediate(readRequest(await here.requestIntermediate()), OURS);
    assert.throws(() => here.importIntermediate(good), { code: 'root-missing' });
    here.importIntermediate(good, root.root.pem);
    renameSync(here.at('ca.pem'), join(place, 'ca.pem'));
    assert.throws(() => here.root, { code: 'root-missing' });
  });
});
