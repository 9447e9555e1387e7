// A connector and an app that prove themselves to each other: what the connector shows, whom it believes, and how a
// certificate is renewed without a request that is bound to the other one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { AppTarget } from '#connectors/cluster/app';
import {
  type CertificateFiles,
  type ClientCertificate,
  ClientCertificateError,
  clientCertificate,
  FollowedFiles,
  readClientCertificate,
} from '#connectors/cluster/client-certificate';
import { Cluster } from '#connectors/cluster/cluster';
import { encodeRequest } from '#connectors/wire/head';
import { openPrefix } from '#connectors/wire/open';
import { joined, Probe, type Side, settle } from '#test/connectors/wire/sides';
import {
  authority,
  CLIENT,
  certify,
  HOUR,
  type Holder,
  keyPem,
  newKeys,
  pemOf,
  SERVER,
} from '#test/gateway/identity/service-certificates';

const APP = 'spiffe://prod.example/storage';
const now = Date.now();

async function holder(
  issuer: Holder,
  uris: readonly string[],
  purpose: string,
  to?: number,
): Promise<Holder> {
  const until = to === undefined ? {} : { to };
  return certify('one', await newKeys(), issuer, { uris, purposes: [purpose], ca: false, ...until }, now);
}

const shownBy = async (one: Holder): ReturnType<typeof keyPem> => keyPem(one);
const clientOf = async (one: Holder): Promise<AppTarget['client'] & object> =>
  clientCertificate(pemOf(one), await shownBy(one), 'test');

/** A real app that takes nobody without a certificate of `clients`, and says whose it saw. */
async function startApp(t: TestContext, own: Holder, clients: Holder): Promise<string> {
  const options = { cert: pemOf(own), key: await keyPem(own), ca: pemOf(clients) };
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (req, res) => {
    const shown = (req.socket as TLSSocket).getPeerX509Certificate();
    res.end(shown?.fingerprint256.replaceAll(':', '') ?? 'nobody');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A request to its end: what the app answered, as bytes of the thumbprint, or the reset. */
async function ask({ session }: Side): Promise<string> {
  const probe = new Probe();
  let body = '';
  probe.onData = (piece, fin) => {
    body += piece.toString('latin1');
    probe.stream?.consume(piece.length);
    if (fin) probe.events.push('fin');
  };
  const stream = session.open(
    openPrefix('http', 'app'),
    encodeRequest('GET', '/', ['Host', 'a']),
    true,
    probe,
    0,
  );
  probe.stream = stream;
  while (!probe.events.some((event) => /fin|reset/.test(event))) await settle(1);
  return body === '' ? probe.events.join(', ') : Buffer.from(body, 'hex').toString('base64url');
}

async function serving(
  t: TestContext,
  target: Partial<AppTarget> & { url: string },
): Promise<[Side, Cluster]> {
  const cluster = new Cluster({ app: { headTimeout: 5000, ...target } });
  t.after(() => cluster.close());
  const { open } = cluster.serving;
  return [(await joined({}, undefined, open)).gateway, cluster];
}

test('an app that wants to know who asks is shown the certificate, and nothing without one', async (t) => {
  const root = await authority('Prod', now);
  const url = await startApp(t, await holder(root, [APP], SERVER), root);
  const client = await clientOf(await holder(root, ['spiffe://prod.example/rack'], CLIENT));
  const trust = { url, ca: pemOf(root), spiffeId: APP };
  const [shown, cluster] = await serving(t, { ...trust, client });
  assert.equal(await ask(shown), client.thumbprint);
  assert.deepEqual(cluster.serving.certificates, { app: client.thumbprint }, 'and it is announced');
  const [none, without] = await serving(t, trust);
  assert.match(await ask(none), /^reset app-/);
  assert.deepEqual(without.serving.certificates, {});
  const stranger = await clientOf(
    await holder(await authority('Other', now), ['spiffe://x.example/y'], CLIENT),
  );
  assert.match(await ask((await serving(t, { ...trust, client: stranger }))[0]), /^reset app-/);
});

test('an app known by its SPIFFE id must be exactly that', async (t) => {
  const root = await authority('Prod', now);
  const other = await authority('Other', now);
  const client = await clientOf(await holder(root, ['spiffe://prod.example/rack'], CLIENT));
  for (const [what, own, good] of [
    ['the id', await holder(root, [APP], SERVER), true],
    ['an id below it', await holder(root, [`${APP}/x`], SERVER), false],
    ['two ids', await holder(root, [APP, 'spiffe://prod.example/other'], SERVER), false],
    ['no id', await holder(root, [], SERVER), false],
    ['a CA', await authority('CA', now, root, { uris: [APP], purposes: [SERVER] }), false],
    ['a certificate for clients', await holder(root, [APP], CLIENT), false],
    ['an expired one', await holder(root, [APP], SERVER, now - 1000), false],
    ['the id from another authority', await holder(other, [APP], SERVER), false],
  ] as const) {
    const url = await startApp(t, own, root);
    const [side] = await serving(t, { url, ca: pemOf(root), spiffeId: APP, client });
    const answer = await ask(side);
    if (good) assert.equal(answer, client.thumbprint, what);
    else assert.match(answer, /^reset app-unreachable/, what);
  }
});

test('a tunnel keeps to the certificate it announced; the next one announces the new', async (t) => {
  const root = await authority('Prod', now);
  const url = await startApp(t, await holder(root, [APP], SERVER), root);
  const [before, after] = [
    await clientOf(await holder(root, ['spiffe://prod.example/rack'], CLIENT)),
    await clientOf(await holder(root, ['spiffe://prod.example/rack'], CLIENT)),
  ];
  const target = { url, ca: pemOf(root), spiffeId: APP, headTimeout: 5000 };
  const [old, cluster] = await serving(t, { ...target, client: before });
  assert.equal(await ask(old), before.thumbprint);
  cluster.retarget('app', { ...target, client: after });
  assert.equal(await ask(old), before.thumbprint);
  const { gateway } = await joined({}, undefined, cluster.serving.open);
  assert.equal(await ask(gateway), after.thumbprint);
  assert.deepEqual(cluster.serving.certificates, { app: after.thumbprint });
  cluster.retarget('app', undefined);
  assert.deepEqual(cluster.serving.apps, []);
});

interface Followed {
  readonly files: CertificateFiles;
  readonly followed: FollowedFiles;
  readonly changes: ClientCertificate[];
  readonly said: string[];
  write(file: string, text: string): void;
  /** Sets the clock of whoever follows them. */
  at(time: number): void;
}

/** Files with the certificate of `one`, each time written later than before. */
async function follow(t: TestContext, one: Holder): Promise<Followed> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const files: CertificateFiles = { certificate: join(directory, 'c.pem'), key: join(directory, 'c.key') };
  let written = now / 1000 - 100;
  const write = (file: string, text: string): void => {
    writeFileSync(file, text);
    written += 1;
    utimesSync(file, written, written);
  };
  assert.throws(() => readClientCertificate(files), /c\.pem.*ENOENT/);
  write(files.certificate, pemOf(one));
  write(files.key, await keyPem(one));
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const changes: ClientCertificate[] = [];
  let time = now;
  const followed = new FollowedFiles({
    ...{ files, log: { info: () => {}, warn: say, error: say }, now: () => time },
    onChange: (certificate) => void changes.push(certificate),
  });
  t.after(() => followed.stop());
  const at = (then: number): void => {
    time = then;
  };
  return { files, followed, changes, said, write, at };
}

test('files: taken up when both have changed and fit, and complained of once when they do not', async (t) => {
  const root = await authority('Prod', now);
  const [one, two] = [await holder(root, [APP], CLIENT), await holder(root, [APP], CLIENT, now + HOUR)];
  const { files, followed, changes, said, write, at } = await follow(t, one);
  const first = followed.current.thumbprint;
  write(files.certificate, pemOf(two));
  followed.check();
  followed.check();
  assert.deepEqual([followed.current.thumbprint, said.length], [first, 1]);
  assert.match(said[0] ?? '', /the key is not that of the certificate; the certificate before it stays/);
  write(files.key, await keyPem(two));
  followed.check();
  assert.deepEqual(
    changes.map(({ thumbprint }) => thumbprint),
    [(await clientOf(two)).thumbprint],
  );
  rmSync(files.key);
  followed.check();
  assert.equal(changes.length, 1);
  write(files.key, await keyPem(two));
  write(files.certificate, pemOf(two) + pemOf(root));
  followed.check();
  assert.equal(changes.length, 2, 'another chain is taken up, too');
  at(now + 2 * HOUR);
  followed.check();
  followed.check();
  assert.match(said.at(-1) ?? '', /expired on .*: renew it/);
  assert.equal(said.filter((line) => line.includes('expired')).length, 1);
});

test('files: a chain is taken up when it is whole, also behind a leaf that is known', async (t) => {
  const root = await authority('Prod', now);
  const one = await holder(root, [APP], CLIENT);
  const { files, followed, changes, said, write } = await follow(t, one);
  const whole = `${pemOf(one)}\n${pemOf(root)}`;
  // As it is while somebody still writes it: TLS would throw at each connection to the app.
  write(files.certificate, whole.slice(0, -60));
  followed.check();
  assert.deepEqual([followed.current.cert, changes], [pemOf(one), []]);
  assert.match(said.join(), /c\.pem and .*c\.key: no certificate and its key in PEM .*before it stays/);
  write(files.certificate, whole);
  followed.check();
  assert.deepEqual([followed.current.cert, changes.map(({ cert }) => cert)], [whole, [whole]]);
});

test('files: what cannot even be looked at is complained of, and looked at again', async (t) => {
  const root = await authority('Prod', now);
  const [one, two] = [await holder(root, [APP], CLIENT), await holder(root, [APP], CLIENT)];
  const { files, followed, changes, said, write } = await follow(t, one);
  rmSync(files.certificate);
  symlinkSync(files.certificate, files.certificate);
  followed.check();
  assert.match(said.join(), /c\.pem.*ELOOP.*the certificate before it stays/);
  rmSync(files.certificate);
  write(files.certificate, pemOf(two));
  write(files.key, await keyPem(two));
  followed.check();
  assert.equal(changes.length, 1);
  rmSync(files.certificate);
  symlinkSync(files.certificate, files.certificate);
  const options = { files, log: { info: () => {}, warn: () => {}, error: () => {} }, now: () => now };
  assert.throws(() => new FollowedFiles({ ...options, onChange: () => {} }), ClientCertificateError);
});
