// What a connector asks its cluster, and what it makes of the answers: no yes comes of an API that is slow, hostile, not
// the cluster's, or that says anything but what the API says.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type ReviewFailure, TokenReviewer } from '#connectors/cluster/token-reviewer';
import type { ResetCode } from '#connectors/wire/error';
import { MAX_REVIEW, type Review } from '#connectors/wire/token-review';
import { KubernetesApi } from './kubernetes-api.ts';

const never = new AbortController().signal;
const log = { info() {}, error() {}, warn() {} };

interface Bed {
  readonly api: KubernetesApi;
  readonly reviewer: TokenReviewer;
  review(token: string, audiences?: string[]): Promise<Review>;
}

async function bed(t: TestContext): Promise<Bed> {
  const api = await KubernetesApi.start(t as never);
  api.startPod('cart-1');
  const reviewer = new TokenReviewer('prod', api.config, { log, now: Date.now });
  t.after(() => reviewer.close());
  const review: Bed['review'] = (token, audiences = ['sallyport']) =>
    reviewer.review({ token, audiences }, never);
  return { api, reviewer, review };
}

const fails = (code: ResetCode, says: RegExp) => (error: unknown) => {
  const { message } = error as Error;
  assert.ok(says.test(message), message);
  assert.equal((error as ReviewFailure).code, code);
  return true;
};

test('the token of a pod that runs is accepted, with who it is of and for whom', async (t) => {
  const { api, review } = await bed(t);
  const found = await review(await api.token('cart-1'), ['sallyport', 'vault']);
  assert.ok(found.authenticated);
  assert.equal(found.user.username, 'system:serviceaccount:shop:cart');
  assert.deepEqual(found.user.extra.get('authentication.kubernetes.io/pod-name'), ['cart-1']);
  assert.deepEqual(found.audiences, ['sallyport']);
});

test('that of a pod that is gone is not, nor of another audience', async (t) => {
  const { api, review } = await bed(t);
  const token = await api.token('cart-1');
  assert.deepEqual(await review(token, ['vault']), { authenticated: false });
  api.deletePod('cart-1');
  assert.deepEqual(await review(token), { authenticated: false });
  api.startPod('cart-1');
  assert.deepEqual(await review(token), { authenticated: false }, 'a pod of the same name is another');
});

test('our own token and the authority are read again when they are changed', async (t) => {
  const { api, review } = await bed(t);
  const token = await api.token('cart-1');
  assert.equal((await review(token)).authenticated, true);
  api.callers.clear();
  await assert.rejects(review(token), fails('app-error', /401/));
  api.callers.set('connector-2', false);
  writeFileSync(api.path('token'), 'connector-2');
  await assert.rejects(review(token), fails('app-error', /403.*system:auth-delegator/));
  api.callers.set('connector-2', true);
  const next = await api.authority('two');
  await api.show(next);
  assert.equal((await review(token)).authenticated, true, 'the new authority is believed');
  await api.authority('three');
  await assert.rejects(review(token), 'and only the one in the file');
});

test('a file that is gone is told, when it starts and later', async (t) => {
  const { api, review } = await bed(t);
  rmSync(api.path('token'));
  await assert.rejects(review(await api.token('cart-1')), fails('app-unreachable', /token cannot be read/));
  writeFileSync(api.path('token'), ' \n');
  await assert.rejects(review(await api.token('cart-1')), fails('app-unreachable', /holds no token/));
  writeFileSync(api.path('token'), 'connector-1');
  writeFileSync(api.path('ca.crt'), '');
  // An empty authority is not the system's.
  await assert.rejects(
    review(await api.token('cart-1')),
    fails('app-unreachable', /ca\.crt holds no certificate/),
  );
  rmSync(api.path('ca.crt'));
  assert.throws(
    () => new TokenReviewer('prod', api.config, { log, now: Date.now }),
    fails('app-unreachable', /ca\.crt cannot be read \(ENOENT\)/),
  );
});

const YES = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  status: { authenticated: true, user: { username: 'u' }, audiences: ['sallyport'] },
};
const says =
  (body: unknown, status = 201) =>
  (response: ServerResponse) =>
    void response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));

const HOSTILE: readonly [string, (response: ServerResponse) => void, ResetCode, RegExp][] = [
  ['another status', says(YES, 202), 'app-error', /answered 202/],
  ['an error', says(YES, 500), 'app-error', /answered 500/],
  [
    'a redirect',
    (response) => void response.writeHead(307, { Location: 'https://127.0.0.1:1/' }).end(),
    'app-error',
    /answered 307/,
  ],
  [
    'something compressed',
    (response) => void response.writeHead(201, { 'Content-Encoding': 'gzip' }).end(JSON.stringify(YES)),
    'app-error',
    /answered 201/,
  ],
  ['no JSON', says('yes'), 'app-error', /not JSON/],
  ['another kind', says({ ...YES, kind: 'SubjectAccessReview' }), 'app-error', /no TokenReview/],
  ['another version', says({ ...YES, apiVersion: 'v1' }), 'app-error', /no TokenReview/],
  ['no status', says({ ...YES, status: undefined }), 'app-error', /status is no object/],
  ['a list', says([YES]), 'app-error', /it is no object/],
  [
    'the word true',
    says({ ...YES, status: { ...YES.status, authenticated: 'true' } }),
    'app-error',
    /neither true nor false/,
  ],
  [
    'yes and an error',
    says({ ...YES, status: { ...YES.status, error: 'x' } }),
    'app-error',
    /tells an error/,
  ],
  ['nobody', says({ ...YES, status: { authenticated: true } }), 'app-error', /status\.user is no object/],
  [
    'a user without name',
    says({ ...YES, status: { authenticated: true, user: { uid: '1' } } }),
    'app-error',
    /username/,
  ],
  [
    'extras that are no lists',
    says({ ...YES, status: { authenticated: true, user: { username: 'u', extra: { a: 'b' } } } }),
    'app-error',
    /extra is no list/,
  ],
  ['too much', says(`{"a":"${'x'.repeat(MAX_REVIEW)}`), 'app-error', /over 65536 bytes/],
  ['too much, piece by piece', (response) => drip(response), 'app-error', /over 65536 bytes/],
  ['nothing', (response) => void response.destroy(), 'app-unreachable', /./],
  [
    'half of it',
    (response) => {
      response.writeHead(201, { 'Content-Length': 1000 }).write('{');
      setTimeout(() => response.destroy(), 20);
    },
    'app-unreachable',
    /./,
  ],
];

/** Without a declared length. */
function drip(response: ServerResponse): void {
  response.writeHead(201).write('{"a":"');
  const more = (): void => {
    if (response.destroyed) return;
    response.write('x'.repeat(10_000));
    setImmediate(more);
  };
  more();
}

test('no answer is a yes that is not the API’s', async (t) => {
  const { api, review } = await bed(t);
  const token = await api.token('cart-1');
  for (const [what, answer, code, words] of HOSTILE) {
    await t.test(what, async () => {
      api.answer = (request, response) => {
        request.resume();
        answer(response);
      };
      await assert.rejects(review(token), fails(code, words));
    });
  }
});

test('an API that does not answer is given up, and so is one that nobody waits for any more', async (t) => {
  const { api, reviewer } = await bed(t);
  const question = { token: await api.token('cart-1'), audiences: ['sallyport'] };
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  api.answer = () => resolve();
  const gone = new AbortController();
  const waiting = reviewer.review(question, gone.signal);
  await reached;
  gone.abort();
  await assert.rejects(waiting, fails('cancelled', /nobody waits/));
  await assert.rejects(reviewer.review(question, never), fails('app-timeout', /within 4 s/));
});

test('more questions than it will have under way are turned away, and those that are answered make room', async (t) => {
  const { api, review } = await bed(t);
  const token = await api.token('cart-1');
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  api.answer = (request, response) => {
    request.resume();
    void released.then(() => says(YES)(response));
  };
  const asked = Array.from({ length: 64 }, () => review(token));
  await assert.rejects(review(token), fails('refused', /64 questions/));
  release();
  // On a busy machine some may have had their time before the API heard of them.
  await Promise.allSettled(asked);
  api.answer = undefined;
  assert.equal((await review(token)).authenticated, true);
});
