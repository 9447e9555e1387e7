// The question about a token and its answer, as they travel: what is not part of them does not pass, and nothing that is
// not exactly a yes is read as one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP_ID } from '#connectors/wire/hello';
import {
  CLUSTER,
  decodeQuestion,
  decodeReview,
  encodeQuestion,
  encodeReview,
  MAX_QUESTION,
  MAX_REVIEW,
  type Review,
  ReviewError,
  reviewId,
} from '#connectors/wire/token-review';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const API = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };

test('a question and both answers survive the way', () => {
  const question = { token: 'aa.bb.cc', audiences: ['sallyport', 'vault'] };
  assert.deepEqual(decodeQuestion(encodeQuestion(question)), question);
  const extra = new Map([['authentication.kubernetes.io/pod-uid', ['p-1']]]);
  for (const review of [
    { authenticated: false },
    { authenticated: true, user: { username: 'u', uid: 'x', extra }, audiences: ['sallyport'] },
    { authenticated: true, user: { username: 'u', uid: undefined, extra: new Map() }, audiences: [] },
  ] satisfies Review[]) {
    assert.deepEqual(decodeReview(encodeReview(review)), review);
  }
});

test('the largest of both fit', () => {
  const long = 'x'.repeat(1024);
  const token = `${'a'.repeat(8188)}.b.c`;
  assert.ok(encodeQuestion({ token, audiences: ['sallyport'] }).length <= MAX_QUESTION);
  const user = { username: long, uid: long, extra: new Map([['pod', [long]]]) };
  assert.ok(encodeReview({ authenticated: true, user, audiences: [long] }).length <= MAX_REVIEW);
});

test('Go leaves out what is false or empty', () => {
  assert.deepEqual(decodeReview(json({ ...API, status: {} })), { authenticated: false });
  const error = '[invalid bearer token, service account token has been invalidated]';
  assert.deepEqual(decodeReview(json({ ...API, status: { error } })), { authenticated: false });
  const status = { authenticated: true, user: { username: 'u', uid: '' } };
  const user = { username: 'u', uid: undefined, extra: new Map() };
  assert.deepEqual(decodeReview(json({ ...API, status })), { authenticated: true, user, audiences: [] });
});

const QUESTIONS: readonly [string, unknown][] = [
  ['no spec', API],
  ['a spec that is a list', { ...API, spec: [] }],
  ['no token', { ...API, spec: { audiences: [] } }],
  ['a token that would end a header', { ...API, spec: { token: 'a.b.c\r\nX: y', audiences: [] } }],
  ['a token that is none', { ...API, spec: { token: 'password', audiences: [] } }],
  ['a token without end', { ...API, spec: { token: `${'a'.repeat(8192)}.b.c`, audiences: [] } }],
  ['no audiences', { ...API, spec: { token: 'a.b.c' } }],
  ['seventeen', { ...API, spec: { token: 'a.b.c', audiences: Array(17).fill('x') } }],
  ['an audience that is no text', { ...API, spec: { token: 'a.b.c', audiences: [1] } }],
  ['another kind', { ...API, kind: 'Secret', spec: { token: 'a.b.c', audiences: [] } }],
  ['null', null],
];
for (const [what, value] of QUESTIONS) {
  test(`no question: ${what}`, () => assert.throws(() => decodeQuestion(json(value)), ReviewError));
}

const yes = (more: object): object => ({
  ...API,
  status: { authenticated: true, user: { username: 'u' }, audiences: ['a'], ...more },
});
const ANSWERS: readonly [string, unknown][] = [
  ['a status that is text', { ...API, status: 'yes' }],
  ['one instead of true', yes({ authenticated: 1 })],
  ['null instead of true', yes({ authenticated: null })],
  ['a user that is a list', yes({ user: [] })],
  ['an empty name', yes({ user: { username: '' } })],
  ['a uid that is a number', yes({ user: { username: 'u', uid: 7 } })],
  ['a name without end', yes({ user: { username: 'u'.repeat(1025) } })],
  [
    '65 extras',
    yes({ user: { username: 'u', extra: Object.fromEntries([...Array(65)].map((_, i) => [i, []])) } }),
  ],
  ['audiences that are text', yes({ audiences: 'a' })],
];
for (const [what, value] of ANSWERS) {
  test(`no answer: ${what}`, () => assert.throws(() => decodeReview(json(value)), ReviewError));
}

test('a cluster’s name with what is before it is an app id', () => {
  const longest = 'c'.repeat(64 - reviewId('').length);
  assert.match(longest, CLUSTER);
  assert.match(reviewId(longest), APP_ID);
  for (const name of [`${longest}c`, '', 'Prod', '-a', 'a.b', 'a\n']) assert.doesNotMatch(name, CLUSTER);
});
