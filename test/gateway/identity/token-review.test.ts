// Whether a cluster still accepts a token: what its answer must agree with, how long it counts, and that without any
// answer nobody gets in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import type { Review, ReviewedUser } from '#connectors/wire/token-review';
import { type AskedToken, type Reviewed, TokenReviews } from '#gateway/identity/token-review';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const KEEP = 10_000;
const KEY = 'authentication.kubernetes.io/';

const CLAIMS: JWTPayload = {
  sub: 'system:serviceaccount:shop:cart',
  aud: ['sallyport', 'vault'],
  jti: 'j-1',
  exp: NOW / 1000 + 600,
  'kubernetes.io': {
    namespace: 'shop',
    serviceaccount: { name: 'cart', uid: 'sa-1' },
    pod: { name: 'cart-1', uid: 'pod-1' },
    node: { name: 'node-1', uid: 'n-1' },
  },
};
const EXTRA: Readonly<Record<string, string[]>> = {
  [`${KEY}credential-id`]: ['JTI=j-1'],
  [`${KEY}node-name`]: ['node-1'],
  [`${KEY}node-uid`]: ['n-1'],
  [`${KEY}pod-name`]: ['cart-1'],
  [`${KEY}pod-uid`]: ['pod-1'],
};

type Said = { username?: string; uid?: string | undefined; extra?: object; audiences?: string[] };

function yes({
  username = 'system:serviceaccount:shop:cart',
  uid = 'sa-1',
  extra = {},
  ...said
}: Said): Review {
  const all = Object.entries({ ...EXTRA, ...extra }).filter(([, value]) => value !== undefined);
  const user: ReviewedUser = { username, uid: uid === '' ? undefined : uid, extra: new Map(all) };
  return { authenticated: true, user, audiences: said.audiences ?? ['sallyport'] };
}

const asked = (claims: JWTPayload = CLAIMS, fingerprint = 'f'): AskedToken => ({
  ...{ token: `t-${fingerprint}`, fingerprint, claims },
  audiences: ['sallyport', 'edge'],
});

function once(review: Review, claims?: JWTPayload): Promise<Reviewed> {
  return new TokenReviews({ ask: async () => review, keep: KEEP, now: () => NOW }).review(asked(claims));
}

const without = (name: string): object => ({ [KEY + name]: undefined });
const old: JWTPayload = {
  ...CLAIMS,
  'kubernetes.io': {
    namespace: 'shop',
    serviceaccount: { name: 'cart', uid: 'sa-1' },
    pod: { name: 'cart-1', uid: 'pod-1' },
  },
};
const unbound: JWTPayload = {
  ...CLAIMS,
  'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'cart', uid: 'sa-1' } },
};

const ANSWERS: readonly [string, Reviewed, Said, JWTPayload?][] = [
  ['as the token says', 'accepted', {}],
  [
    'by a cluster that says nothing of nodes and credentials yet',
    'accepted',
    {
      extra: { ...without('node-name'), ...without('node-uid'), ...without('credential-id') },
    },
  ],
  ['by one that says more than a token made before it could', 'accepted', {}, old],
  ['of another account', 'other', { username: 'system:serviceaccount:shop:admin' }],
  ['of an account made anew', 'other', { uid: 'sa-2' }],
  ['of no account', 'other', { uid: '' }],
  ['of another pod', 'other', { extra: { [`${KEY}pod-name`]: ['cart-2'] } }],
  ['of a pod made anew', 'other', { extra: { [`${KEY}pod-uid`]: ['pod-2'] } }],
  ['of two pods', 'other', { extra: { [`${KEY}pod-uid`]: ['pod-1', 'pod-2'] } }],
  ['of no pod', 'other', { extra: { ...without('pod-name'), ...without('pod-uid') } }],
  ['of a pod, where the token is of none', 'other', {}, unbound],
  ['of another node', 'other', { extra: { [`${KEY}node-uid`]: ['n-2'] } }],
  ['of another token', 'other', { extra: { [`${KEY}credential-id`]: ['JTI=j-2'] } }],
  ['for no audience', 'other', { audiences: [] }],
  ['for an audience nobody asked for', 'other', { audiences: ['sallyport', 'vault'] }],
  ['for an audience that the token is not for', 'other', { audiences: ['edge'] }],
];

for (const [what, verdict, said, claims] of ANSWERS) {
  test(`accepted ${what}: ${verdict}`, async () => assert.equal(await once(yes(said), claims), verdict));
}

test('not accepted is refused', async () => assert.equal(await once({ authenticated: false }), 'refused'));

test('an answer counts for a while, yes and no, and is then asked for again', async () => {
  let now = NOW;
  let questions = 0;
  let review: Review = yes({});
  const reviews = new TokenReviews({
    ask: async ({ token, audiences }) => {
      questions += 1;
      assert.deepEqual([token, audiences], ['t-f', ['sallyport', 'edge']]);
      return review;
    },
    keep: KEEP,
    now: () => now,
  });
  assert.equal(await reviews.review(asked()), 'accepted');
  review = { authenticated: false };
  now += KEEP - 1;
  assert.equal(await reviews.review(asked()), 'accepted');
  now += 1;
  assert.equal(await reviews.review(asked()), 'refused');
  review = yes({});
  assert.equal(await reviews.review(asked()), 'refused');
  assert.equal(questions, 2);
});

test('never beyond the token’s own end, and from before the question on', async () => {
  let now = NOW;
  let questions = 0;
  const ask = async (): Promise<Review> => {
    questions += 1;
    now += 4_000;
    return yes({});
  };
  const reviews = new TokenReviews({ ask, keep: KEEP, now: () => now });
  const short = asked({ ...CLAIMS, exp: NOW / 1000 + 6 });
  await reviews.review(short);
  now = NOW + 6_000;
  await reviews.review(short);
  assert.equal(questions, 2);
  now = NOW + 20_000;
  await reviews.review(asked(CLAIMS, 'g'));
  now = NOW + 20_000 + KEEP;
  await reviews.review(asked(CLAIMS, 'g'));
  assert.equal(questions, 4, 'four seconds of the ten were the question’s');
});

test('fifty at once ask once', async () => {
  let questions = 0;
  const { promise, resolve } = Promise.withResolvers<Review>();
  const ask = (): Promise<Review> => {
    questions += 1;
    return promise;
  };
  const reviews = new TokenReviews({ ask, keep: KEEP, now: () => NOW });
  const all = Array.from({ length: 50 }, () => reviews.review(asked()));
  resolve(yes({}));
  assert.deepEqual(new Set(await Promise.all(all)), new Set(['accepted']));
  assert.equal(questions, 1);
});

test('a cluster that cannot be asked lets nobody in, and is asked again at once', async () => {
  let questions = 0;
  const ask = async (): Promise<Review> => {
    questions += 1;
    if (questions === 1) throw new Error('no-connector');
    return yes({});
  };
  const reviews = new TokenReviews({ ask, keep: KEEP, now: () => NOW });
  assert.equal(await reviews.review(asked()), 'unavailable');
  assert.equal(await reviews.review(asked()), 'accepted');
});

test('many different tokens at once: the ones beyond the limit are told so, and memory is bounded', async () => {
  const waiting: ((review: Review) => void)[] = [];
  let ask = (): Promise<Review> => new Promise((resolve) => waiting.push(resolve));
  const reviews = new TokenReviews({ ask: () => ask(), keep: KEEP, now: () => NOW });
  const all = Array.from({ length: 256 }, (_, i) => reviews.review(asked(CLAIMS, `n${i}`)));
  assert.equal(await reviews.review(asked(CLAIMS, 'one more')), 'unavailable');
  for (const answer of waiting) answer(yes({}));
  await Promise.all(all);
  let questions = 0;
  ask = async () => {
    questions += 1;
    return yes({});
  };
  for (let i = 0; i < 10_000; i++) await reviews.review(asked(CLAIMS, `m${i}`));
  await reviews.review(asked(CLAIMS, 'm9999'));
  assert.equal(questions, 10_000);
  await reviews.review(asked(CLAIMS, 'n0'));
  assert.equal(questions, 10_001, 'the oldest is forgotten');
});

test('what stays open ends with a no, and while nobody can be asked after half a minute', async () => {
  let now = NOW;
  let answer = async (): Promise<Review> => yes({});
  const reviews = new TokenReviews({ ask: () => answer(), keep: KEEP, now: () => now });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await reviews.review(asked());
  const stands = reviews.follow(asked());
  now += KEEP;
  assert.equal(stands(), true);
  await settled();
  answer = () => Promise.reject(new Error('connector-lost'));
  now += 29_000;
  assert.equal(stands(), true, 'since the last yes');
  await settled();
  now += 1_000;
  assert.equal(stands(), false);
  answer = async () => ({ authenticated: false });
  const other = reviews.follow(asked(CLAIMS, 'other'));
  assert.equal(other(), true);
  await settled();
  assert.equal(other(), false);
});
