// A real Kubernetes API server is asked about tokens: of pods that run, that are gone, of deleted accounts, for other
// audiences, with and without the right to ask. Builds the server from its Go modules, which takes ten minutes and a few
// gigabytes, so it is run by hand and not by the tests: node test/connectors/cluster/kubernetes-process.ts [BINARY]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet } from 'jose';
import { Agent, fetch } from 'undici';
import { TokenReviewer } from '#connectors/cluster/token-reviewer';
import { ServiceTokens, type TokenIssuer } from '#gateway/identity/service-tokens';
import { TokenReviews } from '#gateway/identity/token-review';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';

const VERSION = process.env['KUBERNETES_MINOR'] ?? '33.1';
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const ADMIN = 'admin-token';
/** Modules that the server's own repository holds, and which its module therefore asks for at no version. */
const STAGED =
  `api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler
kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin sample-controller`.split(
    /\s+/,
  );

const place = mkdtempSync(join(tmpdir(), 'sallyport-kubernetes-'));
const at = (name: string): string => join(place, name);
const [port = 0, etcd = 0, peer = 0] = await freePorts(3);
const url = `https://127.0.0.1:${port}`;
const named = (name: string): object => ({ metadata: { name } });
/** The admin's. */
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
const running: Part[] = [];
const found: Record<string, unknown> = {};
try {
  const binary = process.argv[2] ?? build();
  await start(binary);
  await prepare();
  await ask();
  console.log(JSON.stringify({ kubernetes: `1.${VERSION}`, ...found }, null, 2));
} catch (error) {
  for (const part of running) console.error(part.output.slice(-3000));
  throw error;
} finally {
  for (const part of running.reverse()) await part.stop();
  rmSync(place, { recursive: true, force: true });
}

function build(): string {
  const module = at('module');
  mkdirSync(module);
  copyFileSync(join(import.meta.dirname, 'kubernetes/main.go'), join(module, 'main.go'));
  const replaced = STAGED.map((name) => `replace k8s.io/${name} => k8s.io/${name} v0.${VERSION}\n`).join('');
  writeFileSync(
    join(module, 'go.mod'),
    `module kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v1.${VERSION}\n\n${replaced}`,
  );
  const go = (...words: string[]): void =>
    void execFileSync('go', words, { cwd: module, stdio: ['ignore', 'inherit', 'inherit'] });
  go('mod', 'tidy');
  go('build', '-o', at('kubernetes-server'), '.');
  return at('kubernetes-server');
}

async function start(binary: string): Promise<void> {
  const authority = await openAuthority(at('ca'), 'Cluster', Date.now);
  const { cert, key } = await issueCertificate(authority, ['127.0.0.1', 'localhost']);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const write = (name: string, text: string): void => writeFileSync(at(name), text, { mode: 0o600 });
  write('ca.crt', authority.certificate);
  write('tls.pem', cert);
  write('tls.key', key);
  write('sa.key', privateKey.export({ type: 'pkcs1', format: 'pem' }) as string);
  write('tokens.csv', `${ADMIN},admin,admin,system:masters\n`);
  const run = async (name: string, ready: RegExp, ...words: string[]): Promise<void> => {
    const part = new Part(name, binary, words, { cwd: place, log: at(`${name}.log`) });
    running.push(part);
    await part.said(ready);
  };
  const store = `http://127.0.0.1:${etcd}`;
  await run('etcd', /etcd ready/, 'etcd', at('etcd'), store, `http://127.0.0.1:${peer}`);
  await run(
    'apiserver',
    /Serving securely/,
    ...['apiserver', `--etcd-servers=${store}`, '--bind-address=127.0.0.1', `--secure-port=${port}`],
    ...['--tls-cert-file=tls.pem', '--tls-private-key-file=tls.key', '--cert-dir=certificates'],
    ...[`--service-account-issuer=${ISSUER}`, `--api-audiences=${ISSUER}`],
    ...['--service-account-signing-key-file=sa.key', '--service-account-key-file=sa.key'],
    ...[
      '--token-auth-file=tokens.csv',
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/24',
    ],
    '--disable-admission-plugins=ServiceAccount',
  );
}

/** As an admin of the cluster. */
async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };
  const text = body === undefined ? null : JSON.stringify(body);
  const reply = await fetch(url + path, { method, headers, dispatcher, body: text });
  const answer = (await reply.json()) as Record<string, unknown>;
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(answer)}`);
  return answer;
}
async function startPod(name: string): Promise<string> {
  const spec = { serviceAccountName: 'cart', nodeName: 'node-1', containers: [{ name: 'c', image: 'x' }] };
  const pod = await api('POST', '/api/v1/namespaces/shop/pods', { ...named(name), spec });
  return (pod['metadata'] as { uid: string }).uid;
}

/** TokenRequest, as the kubelet makes it for a pod. */
async function tokenOf(namespace: string, account: string, audience: string, pod?: object): Promise<string> {
  const spec = { audiences: [audience], expirationSeconds: 600, ...(pod && { boundObjectRef: pod }) };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const { status } = await api('POST', path, { spec });
  return (status as { token: string }).token;
}

async function prepare(): Promise<void> {
  await until('the API is ready', () =>
    api('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:auth-delegator').catch(() => false),
  );
  for (const name of ['shop', 'sallyport']) await api('POST', '/api/v1/namespaces', named(name));
  await api('POST', '/api/v1/nodes', named('node-1'));
  await api('POST', '/api/v1/namespaces/shop/serviceaccounts', named('cart'));
  await api('POST', '/api/v1/namespaces/sallyport/serviceaccounts', named('connector'));
  writeFileSync(at('token'), await tokenOf('sallyport', 'connector', ISSUER));
}

async function ask(): Promise<void> {
  const keys = createLocalJWKSet((await api('GET', '/openid/v1/jwks')) as unknown as JSONWebKeySet);
  const log = { info() {}, warn() {}, error() {} };
  const config = { url, ca: at('ca.crt'), token: at('token') };
  const reviewer = new TokenReviewer('prod', config, { log, now: Date.now });
  let failure = '';
  const reviews = new TokenReviews({
    ask: (question) =>
      reviewer.review(question, new AbortController().signal).catch((error: Error) => {
        failure = error.message;
        throw error;
      }),
    // Each is asked about anew.
    ...{ keep: 0, now: Date.now },
  });
  const base: TokenIssuer = {
    ...{ name: 'k8s', issuer: ISSUER, audiences: ['sallyport'], algorithms: ['RS256'], require: {} },
    subject: '{/kubernetes.io/namespace}/{/kubernetes.io/serviceaccount/name}',
    ...{ maxLife: 3_600_000, keys },
  };
  const verdictOf = async (token: string, more: Partial<TokenIssuer>): Promise<string> =>
    new ServiceTokens([{ ...base, ...more }], Date.now)
      .verify(token)
      .then(({ subject }) => subject)
      .catch(({ code }: { code: string }) => code);
  const offline = (token: string): Promise<string> => verdictOf(token, {});
  const reviewed = (token: string): Promise<string> => verdictOf(token, { reviews });
  const podToken = async (name: string, audience = 'sallyport'): Promise<string> => {
    const uid = await startPod(name);
    return tokenOf('shop', 'cart', audience, { apiVersion: 'v1', kind: 'Pod', name, uid });
  };
  const deletePod = (name: string): Promise<unknown> =>
    api('DELETE', `/api/v1/namespaces/shop/pods/${name}`, { gracePeriodSeconds: 0 });

  const first = await podToken('cart-1');
  assert.equal(await reviewed(first), 'token-review-unavailable');
  found['without the right to create reviews'] = failure;
  await api('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    ...named('sallyport-connector'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects: [{ kind: 'ServiceAccount', name: 'connector', namespace: 'sallyport' }],
  });
  await until('the right has arrived', async () => (await reviewed(first)) === 'k8s:shop/cart');
  found['claims'] = decodeJwt(first)['kubernetes.io'];
  found['review'] = await raw(first);

  const fresh = await podToken('cart-2');
  await deletePod('cart-2');
  assert.equal(await offline(fresh), 'k8s:shop/cart');
  found['pod gone before the first use'] = { keys: await offline(fresh), review: await reviewed(fresh) };
  assert.equal(await reviewed(fresh), 'token-review-refused');

  const used = await podToken('cart-3');
  assert.equal(await reviewed(used), 'k8s:shop/cart');
  await deletePod('cart-3');
  const since = Date.now();
  await until('a used token is refused', async () => (await reviewed(used)) === 'token-review-refused');
  found['pod gone after use, the API said no after ms'] = Date.now() - since;

  await api('DELETE', '/api/v1/namespaces/shop/pods/cart-1', { gracePeriodSeconds: 0 });
  const other = await podToken('cart-4', 'vault');
  found['another audience'] = { keys: await offline(other), raw: await raw(other) };
  assert.equal(await verdictOf(other, { audiences: ['vault'], reviews }), 'k8s:shop/cart');
  await api('DELETE', '/api/v1/namespaces/shop/serviceaccounts/cart');
  await api('POST', '/api/v1/namespaces/shop/serviceaccounts', named('cart'));
  await until(
    'the token of an account that was made anew is refused',
    async () => (await verdictOf(other, { audiences: ['vault'], reviews })) === 'token-review-refused',
  );
  found['account deleted and made anew'] = 'token-review-refused';
  writeFileSync(at('token'), 'nonsense');
  assert.equal(await reviewed(first), 'token-review-unavailable');
  found['with a token of ours that is not good'] = failure;
  await reviewer.close();
}

/** The API's own answer about a token, without the token. */
async function raw(token: string): Promise<unknown> {
  const question = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };
  const spec = { token, audiences: ['sallyport'] };
  const answer = await api('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { ...question, spec });
  return { kind: answer['kind'], apiVersion: answer['apiVersion'], status: answer['status'] };
}
