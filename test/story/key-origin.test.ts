// Where a service's key is, from the TPM to the record: proved when the certificate is issued, asked for by a rule, and
// used by programs that know nothing of Sallyport; a key in a file gets no further, whatever it says.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Agent, fetch } from 'undici';
import { certifiableKey } from '#connectors/device/certified-key';
import { keyInFile } from '#connectors/link/requested-key';
import { encodeEvidence, KEY_PROOF_PATH } from '#connectors/wire/evidence';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { requires } from '../requires.ts';
import { NEEDS, type Outcome, StoryInstallation } from './installation.ts';
import { ATTESTATION, MACHINE_NEEDS, StoryMachine } from './machine.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

const PROVIDER = '/usr/lib/*/ossl-modules/tpm2.so';
const SERVICE = 'spiffe://sallyport.internal/service';
const RULES = `version: 1
apps: [wiki, vault, ledger, drop, mirror, spare]
devices: { hardware: { hardwareKey: true } }
rules:
  - { id: billing-wiki, allow: wiki, who: "service:${SERVICE}/*", methods: [GET], when: { key: tpm } }
  - { id: billing-vault, allow: vault, who: "service:${SERVICE}/*", when: { connector: hardware } }
tests:
  - { name: in a TPM, service: "${SERVICE}/billing", app: wiki, key: tpm, expect: allow }
  - { name: in a file, service: "${SERVICE}/billing", app: wiki, key: file, expect: deny }
  - { name: unknown, service: "${SERVICE}/billing", app: wiki, expect: deny }
`;
const CONFIG = ['--config', 'gateway.yaml'] as const;
const execute = promisify(execFile);

test('a rule asks where a service’s key is', {
  skip: requires(...NEEDS, ...MACHINE_NEEDS, 'go', 'openssl', PROVIDER),
}, async (t) => {
  const step = stepsOf(t);
  const [port = 0] = await freePorts(1);
  const machine = await StoryMachine.switchOn(t);
  const { tpm } = machine;
  const installation = await StoryInstallation.start(t, {
    further: `${ATTESTATION}services: { listen: "127.0.0.1:${port}" }\n`,
    prepare: (directory) => {
      machine.prepare(directory);
      writeFileSync(`${directory}/policy.yaml`, RULES);
    },
  });
  const at = (name: string): string => installation.path(name);
  const gateway = `https://localhost:${installation.ports.connectors}`;
  writeFileSync(at('portal-ca.pem'), installation.ca);
  const service = (...args: string[]): Promise<Outcome> =>
    installation.sallyport('service', ...args, '--gateway', gateway);
  const enrol = async (name: string, ...more: string[]): Promise<Outcome> => {
    const token = `${name}.token`;
    await installation.sallyport('ca', 'issue-service', '--service', name, '--out', token, ...CONFIG);
    return service('enrol', '--token-file', token, '--dir', name, ...more);
  };
  const tcti = `swtpm:host=127.0.0.1,port=${tpm.address.split(':').at(-1)}`;
  const client = at('client');
  execFileSync('go', ['build', '-o', client, join(import.meta.dirname, 'services/tpm-client.go')]);
  const answerOf = (stdout: string): { status: number; body: string } => {
    const [status = '', ...body] = stdout.split('\n');
    return { status: Number(status), body: body.join('\n') };
  };
  const urlOf = (app: string): string => `https://${app}.localhost:${port}/`;
  /** By the key in the TPM. */
  const asks = async (app: string): Promise<{ status: number; body: string }> => {
    const args = [at('billing/identity.pem'), at('portal-ca.pem'), `127.0.0.1:${port}`, urlOf(app)];
    const env = { ...process.env, TPM2OPENSSL_TCTI: tcti };
    return answerOf((await execute(client, args, { env, timeout: 30_000 })).stdout);
  };
  /** By a key in a file. */
  const reports = async (app: string): Promise<{ status: number; body: string }> => {
    const identity = readFileSync(at('reports/identity.pem'), 'utf8');
    const agent = new Agent({
      connect: { ca: installation.ca, lookup: localhostAwareLookup, cert: identity, key: identity },
    });
    const reply = await fetch(urlOf(app), { dispatcher: agent });
    const answer = { status: reply.status, body: await reply.text() };
    await agent.destroy();
    return answer;
  };
  const serialOf = (directory: string): string =>
    new X509Certificate(readFileSync(at(`${directory}/identity.pem`))).serialNumber;
  const dispatcher = installation.dispatcher(readFileSync(at('state/connector-ca/ca.pem'), 'utf8'));
  const post = async (path: string, body: object): Promise<{ status: number; body: { error?: string } }> => {
    const reply = await fetch(gateway + path, { method: 'POST', dispatcher, body: encodeEvidence(body) });
    return { status: reply.status, body: (await reply.json()) as { error?: string } };
  };

  await step('a key is made in the TPM, proved, and certified', async () => {
    const enrolled = await enrol('billing', '--tpm', tpm.address);
    assert.equal(enrolled.code, 0, enrolled.output);
    const identity = readFileSync(at('billing/identity.pem'), 'utf8');
    assert.match(identity, /BEGIN TSS2 PRIVATE KEY/);
    assert.doesNotMatch(identity, /BEGIN PRIVATE KEY/);
    const issued = installation.events().find(({ event }) => event.action === 'certificate-issued');
    assert.match(JSON.stringify(issued?.sallyport), /"key":"tpm"/);
  });

  await step('another program asks with it, and the rule lets it in', async () => {
    const { status, body } = await asks('wiki');
    assert.equal(status, 200, body);
    const decision = installation.events().findLast(({ event }) => event.action === 'access-allowed');
    assert.match(JSON.stringify(decision?.sallyport), /"key":"tpm"/);
  });

  await step('a key in a file is refused by name, and so is one that nobody proved', async () => {
    const enrolled = await enrol('reports');
    assert.equal(enrolled.code, 0, enrolled.output);
    const { status, body } = await reports('wiki');
    assert.equal(status, 403);
    assert.match(body, /key/);
    const denied = installation.events().findLast(({ event }) => event.action === 'access-denied');
    assert.match(JSON.stringify(denied?.sallyport), /"key-origin"/);
  });

  await step('it is shown', async () => {
    const { output } = await installation.sallyport('ca', 'list', ...CONFIG);
    assert.match(output, new RegExp(`service/billing +${serialOf('billing')} .*key in: tpm`));
    assert.match(output, new RegExp(`service/reports +${serialOf('reports')} .*key in: file`));
    assert.match(output, /story-1|berlin-1|rack-1|key in: file/);
  });

  await step('it renews by the same proof, and stays what it is', async () => {
    const before = serialOf('billing');
    const renewed = await service('renew', '--dir', 'billing', '--force', '--tpm', tpm.address);
    assert.equal(renewed.code, 0, renewed.output);
    assert.notEqual(serialOf('billing'), before);
    assert.equal((await asks('wiki')).status, 200);
    const elsewhere = await machine.sibling('other');
    const stolen = await service('renew', '--dir', 'billing', '--force', '--tpm', elsewhere.address);
    await elsewhere.off();
    assert.equal(stolen.code, 1);
    assert.match(stolen.output, /does not know this key/);
  });

  await step('nobody renews in its name, with its certificate and what was proved for another', async () => {
    const certificate = readFileSync(at('billing/identity.pem'), 'utf8').replace(
      /^[\s\S]+?(?=-----BEGIN CERT)/,
      '',
    );
    const file = await keyInFile();
    const bare = await post('/v1/renew', { csr: file.csr, certificate });
    assert.deepEqual([bare.status, bare.body.error], [401, 'certificate-missing']);
    const offer = async (keys: object): Promise<unknown> => (await post(KEY_PROOF_PATH, keys)).body;
    const own = await certifiableKey(tpm.address);
    const proof = await own.prove(offer);
    const other = await post('/v1/renew', { csr: own.csr, certificate, proof });
    assert.deepEqual([other.status, other.body.error], [401, 'certificate-untrusted']);
    const genuine = await certifiableKey(tpm.address, readFileSync(at('billing/identity.pem'), 'utf8'));
    const once = await genuine.prove(offer);
    const swapped = await post('/v1/renew', {
      csr: genuine.csr,
      certificate,
      proof: { ...once, secret: proof.secret },
    });
    assert.deepEqual([swapped.status, swapped.body.error], [403, 'secret-wrong']);
    const replayed = await post('/v1/renew', { csr: genuine.csr, certificate, proof: once });
    assert.deepEqual([replayed.status, replayed.body.error], [403, 'challenge-burnt']);
    const odd = await post('/v1/renew', { csr: genuine.csr, certificate, proof: { ...once, more: 1 } });
    assert.deepEqual([odd.status, odd.body.error], [400, 'evidence-malformed']);
  });

  await step('a revoked one is refused, and its key renews no more', async () => {
    const { code, output } = await installation.sallyport(
      ...['ca', 'revoke', '--serial', serialOf('billing'), ...CONFIG],
    );
    assert.equal(code, 0, output);
    assert.equal((await asks('wiki')).status, 401);
    const renewed = await service('renew', '--dir', 'billing', '--force', '--tpm', tpm.address);
    assert.equal(renewed.code, 1);
    assert.match(renewed.output, /certificate-revoked/);
  });

  await step(
    'a connector whose machine says nothing of a key is kept out by a rule that asks for one',
    async () => {
      const { status, body } = await reports('vault');
      assert.equal(status, 403, body);
      const denied = installation.events().findLast(({ event }) => event.action === 'access-denied');
      assert.match(JSON.stringify(denied?.sallyport), /connector-posture-unknown/);
    },
  );

  await step('a gateway that trusts no maker of TPMs proves nothing', async () => {
    await installation.gateway.stop();
    const document = readFileSync(at('gateway.yaml'), 'utf8');
    writeFileSync(at('gateway.yaml'), document.replace(ATTESTATION, ''));
    await installation.startGateway();
    const enrolled = await enrol('late', '--tpm', tpm.address);
    assert.equal(enrolled.code, 1);
    assert.match(enrolled.output, /ek-chain-untrusted/);
  });
});
