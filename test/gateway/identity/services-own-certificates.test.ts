// Certificates of our own authority, with every kind of fault that its key could be made to sign: one that is a service's
// in all ways is accepted, and no other, whichever intermediate made it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  bits,
  context,
  identifier,
  integer,
  namedBits,
  octets,
  sequence,
  time,
  yes,
} from '#connectors/wire/der-writer';
import { ServiceTokens } from '#gateway/identity/service-tokens';
import { Services } from '#gateway/identity/services';
import { type SvidFailure, TrustDomains } from '#gateway/identity/svid';
import { readBundle } from '#gateway/identity/trust-bundle';
import { type CertificateAuthority, openAuthority } from '#gateway/pki/authority';
import { nameOf, newSerial, PURPOSES } from '#gateway/pki/certificate-writer';
import { requires } from '#test/requires';
import { requestFor } from '../pki/signing-request.ts';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ID = 'spiffe://sallyport.internal/service/billing';
const OURS = { trustDomain: 'sallyport.internal', hosts: ['gw.example'] };
const ECDSA_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'));
const place = mkdtempSync(join(tmpdir(), 'sallyport-own-'));
after(() => rmSync(place, { recursive: true, force: true }));

/** Whoever signs a certificate, and what is shown beside it. */
interface Signing {
  readonly subject: Buffer;
  readonly key: (data: Buffer) => Promise<Buffer>;
  readonly beside: readonly Buffer[];
}

interface Wanted {
  readonly uris: readonly string[];
  readonly purposes: readonly string[] | undefined;
  readonly ca: boolean | undefined;
  readonly from: number;
  readonly to: number;
}

const GOOD: Wanted = {
  ...{ uris: [ID], purposes: [PURPOSES.client], ca: false },
  ...{ from: NOW - HOUR, to: NOW + HOUR },
};
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SUBJECT = nameOf('billing');
const withKey = (key: KeyObject) => (data: Buffer) => Promise.resolve(sign('sha256', data, key));
const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

async function certificate({ subject, key }: Signing, wanted: Wanted, serial: Buffer): Promise<Buffer> {
  const { uris, purposes, ca, from, to } = wanted;
  const extension = (oid: string, value: Buffer, critical = false): Buffer =>
    sequence(identifier(oid), ...(critical ? [yes] : []), octets(value));
  const names = uris.map((uri) => context(6, Buffer.from(uri, 'latin1')));
  const extensions = [
    ...(ca === undefined ? [] : [extension('2.5.29.19', ca ? sequence(yes) : sequence(), true)]),
    extension('2.5.29.15', namedBits(0x8000), true),
    ...(purposes === undefined ? [] : [extension('2.5.29.37', sequence(...purposes.map(identifier)))]),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', sequence(...names))]),
  ];
  const body = sequence(
    ...[context(0, integer(2), true), integer(serial), ECDSA_SHA256, subject],
    ...[sequence(time(from), time(to)), SUBJECT, publicKey.export({ type: 'spki', format: 'der' })],
    context(3, sequence(...extensions), true),
  );
  return sequence(body, ECDSA_SHA256, bits(await key(body)));
}

let ours: CertificateAuthority;
let signers: Readonly<Record<string, Signing>>;
let services: Services;
const revoked = new Set<string>();

function issuing({ issuing: one, directory }: CertificateAuthority, shown = true): Signing {
  const signer = directory.openKey(one.keyFile ?? '');
  return {
    subject: one.parsed.subject,
    key: (data) => signer.sign(data),
    beside: shown ? [derOf(one.pem)] : [],
  };
}

before(async () => {
  let clock = NOW;
  const open = (name: string): Promise<CertificateAuthority> =>
    openAuthority(join(place, name), 'Connectors', () => clock, { constraints: OURS });
  clock = NOW - 91 * DAY;
  ours = await open('ours');
  const expired = issuing(ours);
  clock = NOW - DAY;
  await ours.rotate();
  const earlier = issuing(ours);
  clock = NOW;
  await ours.rotate();
  const current = issuing(ours);
  const billing = await certificate(current, GOOD, newSerial());
  signers = {
    current,
    earlier,
    expired,
    hidden: issuing(ours, false),
    foreign: issuing(await open('foreign')),
    leaf: { subject: SUBJECT, key: withKey(privateKey), beside: [billing, ...current.beside] },
    self: { subject: SUBJECT, key: withKey(privateKey), beside: [] },
  };
  const { authorities } = readBundle(ours.certificate, 'ca.pem');
  const domains = new TrustDomains([
    { name: 'sallyport.internal', bundle: authorities, below: '/service/' },
    // Somebody trusts our root for another trust domain: our intermediates may not vouch for it.
    { name: 'prod.example', bundle: authorities, below: '/' },
  ]);
  const tokens = new ServiceTokens([], () => NOW);
  services = new Services(
    domains,
    tokens,
    () => NOW,
    ({ serial }) => revoked.has(serial),
  );
});

/** What the listener for services says of who shows these: the code, or whom it takes them for. */
async function verdict(shown: readonly Buffer[]): Promise<string> {
  const peer = shown.reduceRight<object | undefined>((issuerCertificate, raw) => {
    const fingerprint256 = createHash('sha256').update(raw).digest('hex');
    return { raw, fingerprint256, issuerCertificate };
  }, undefined);
  const socket = { getPeerX509Certificate: () => peer };
  const request = { socket, headers: {} } as unknown as IncomingMessage;
  const identified = await services.identify(request, '127.0.0.1');
  return identified.ok ? identified.session.subject.id : identified.code;
}

/** The first of these is the code of a certificate with several faults. */
const ORDER: readonly SvidFailure[] = [
  'certificate-names',
  'certificate-trust-domain',
  'certificate-is-ca',
  'certificate-purpose',
  'certificate-time',
  'certificate-chain',
  'certificate-revoked',
];
type Choice<T> = readonly [what: string, value: T, wrong?: SvidFailure];

const NAMES: readonly Choice<readonly string[]>[] = [
  ['a service of ours', [ID]],
  ['two', [ID, `${ID}-2`], 'certificate-names'],
  ['none', [], 'certificate-names'],
  ['with NUL', [`${ID}\0.evil`], 'certificate-names'],
  ['with dots', ['spiffe://sallyport.internal/service/../connector/rack-1'], 'certificate-names'],
  ['a connector of ours', ['spiffe://sallyport.internal/connector/rack-1'], 'certificate-trust-domain'],
  ['a gateway of ours', ['spiffe://sallyport.internal/gateway/edge-1'], 'certificate-trust-domain'],
  ['below our trust domain', ['spiffe://x.sallyport.internal/service/a'], 'certificate-trust-domain'],
  ['beyond the constraints', ['spiffe://prod.example/service/billing'], 'certificate-chain'],
];
const EKUS: readonly Choice<readonly string[] | undefined>[] = [
  ['clientAuth', [PURPOSES.client]],
  ['both', [PURPOSES.server, PURPOSES.client]],
  ['none said', undefined],
  ['serverAuth', [PURPOSES.server], 'certificate-purpose'],
];
const FLAGS: readonly Choice<boolean | undefined>[] = [
  ['no CA', false],
  ['CA not said', undefined],
  ['a CA', true, 'certificate-is-ca'],
];
const TIMES: readonly Choice<{ from: number; to: number }>[] = [
  ['in time', { from: NOW - HOUR, to: NOW + HOUR }],
  ['expired', { from: NOW - HOUR, to: NOW - 1000 }, 'certificate-time'],
  ['not yet valid', { from: NOW + 1000, to: NOW + HOUR }, 'certificate-time'],
];
const CHAINS: readonly Choice<string>[] = [
  ['by the intermediate', 'current'],
  ['by the one before', 'earlier'],
  ['by one that ended', 'expired', 'certificate-chain'],
  ['by one that is not shown', 'hidden', 'certificate-chain'],
  ['by another installation’s', 'foreign', 'certificate-chain'],
  ['by a service', 'leaf', 'certificate-chain'],
  ['by itself', 'self', 'certificate-chain'],
];

test('what it issues to a service is a service’s, and to a connector not', async () => {
  const grant = { kind: 'admin', id: 'test' } as const;
  const issue = async (uri: string): Promise<Buffer[]> => {
    const { certificate: chain } = await ours.issueClient({
      csr: await requestFor(),
      uri,
      life: HOUR,
      grant,
    });
    return chain.split(/(?<=-----END CERTIFICATE-----\n)/).map(derOf);
  };
  assert.equal(await verdict(await issue(ID)), ID);
  const connector = await issue('spiffe://sallyport.internal/connector/rack-1');
  assert.equal(await verdict(connector), 'certificate-trust-domain');
});

test('the matrix of our own: names x purposes x CA flag x chain x time x list', async (t) => {
  let accepted = 0;
  let refused = 0;
  for (const [chain, by, chainWrong] of CHAINS) {
    const signing = signers[by] as Signing;
    for (const [name, uris, nameWrong] of NAMES) {
      for (const [eku, purposes, ekuWrong] of EKUS) {
        for (const [flag, ca, caWrong] of FLAGS) {
          for (const [when, times, timeWrong] of TIMES) {
            const serial = newSerial();
            const leaf = await certificate(signing, { uris, purposes, ca, ...times }, serial);
            for (const listed of [false, true]) {
              if (listed) revoked.add(serial.toString('hex'));
              const listedWrong = listed ? 'certificate-revoked' : undefined;
              const faults = [nameWrong, ekuWrong, caWrong, timeWrong, chainWrong, listedWrong];
              const wrong = ORDER.find((code) => faults.includes(code));
              const got = await verdict([leaf, ...signing.beside]);
              assert.equal(got, wrong ?? ID, [name, eku, flag, chain, when, listed].join(', '));
              if (wrong === undefined) accepted += 1;
              else refused += 1;
            }
          }
        }
      }
    }
  }
  assert.equal(accepted, 12);
  t.diagnostic(
    `certificate matrix, our own: ${accepted} accepted, ${refused} refused, ${accepted + refused} total`,
  );
});

test('openssl agrees on chains, names and times of our own', { skip: requires('openssl') }, async () => {
  writeFileSync(join(place, 'root.pem'), ours.certificate);
  const at = String(NOW / 1000);
  const cases: [string, string, Partial<Wanted>, boolean][] = [
    ...CHAINS.map(([what, by, wrong]): [string, string, Partial<Wanted>, boolean] => [what, by, {}, !wrong]),
    ...TIMES.map(([what, times, wrong]): [string, string, Partial<Wanted>, boolean] => [
      what,
      'current',
      times,
      !wrong,
    ]),
    ['beyond the constraints', 'current', { uris: ['spiffe://prod.example/service/billing'] }, false],
    ['for servers', 'current', { purposes: [PURPOSES.server] }, false],
  ];
  for (const [what, by, change, fine] of cases) {
    const signing = signers[by] as Signing;
    const leaf = pemOf(await certificate(signing, { ...GOOD, ...change }, newSerial()));
    writeFileSync(join(place, 'leaf.pem'), leaf);
    writeFileSync(join(place, 'beside.pem'), signing.beside.map(pemOf).join('') || leaf);
    const words = ['verify', '-attime', at, '-purpose', 'sslclient', '-CAfile', 'root.pem'];
    const run = (): string =>
      execFileSync('openssl', [...words, '-untrusted', 'beside.pem', 'leaf.pem'], {
        ...{ cwd: place, encoding: 'utf8', stdio: 'pipe' },
      });
    if (fine) assert.match(run(), /OK/, what);
    else assert.throws(run, what);
  }
});
