// Groups: nested, in cycles, and never confused with what a provider calls its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Subject } from '#policy/input';
import { Directory } from '#policy/subject/directory';

const subject = (change: Partial<Subject>): Subject => ({
  kind: 'user',
  id: 'u',
  groups: [],
  roles: [],
  ...change,
});

test('membership goes up through nested groups, and cycles end', () => {
  const directory = new Directory({
    all: { members: ['eng', 'ops'] },
    eng: { members: ['idp:dev', 'ops'] },
    ops: { members: ['idp:ops', 'all'] },
  });
  assert.deepEqual(directory.namesOf(subject({ groups: ['idp:ops'] })), [
    'all',
    'eng',
    'everyone',
    'idp:ops',
    'ops',
    'user:u',
  ]);
  assert.deepEqual(directory.namesOf(subject({ groups: ['idp:none'] })), ['everyone', 'idp:none', 'user:u']);
});

test('a chain of ten thousand groups is flattened without recursion', () => {
  const groups = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [
      `g${index}`,
      { members: [index === 0 ? 'idp:x' : `g${index - 1}`] },
    ]),
  );
  assert.ok(new Directory(groups).namesOf(subject({ groups: ['idp:x'] })).includes('g9999'));
});

test('what a provider sends cannot name local groups, people, services or roles', () => {
  const directory = new Directory({ admins: { members: ['role:admin', 'user:root', 'service:x'] } });
  const sent = ['admins', 'group:admins', 'role:admin', 'user:root', 'service:x', 'everyone'];
  const names = directory.namesOf(subject({ kind: 'service', id: 's', groups: sent }));
  assert.deepEqual(names, ['service:s']);
});

test('selectors know what they surely include', () => {
  const directory = new Directory({
    a: { members: ['b', 'user:x', 'service:spiffe://td/*'] },
    b: { members: ['idp:b'] },
  });
  assert.ok(
    directory.includes('a', 'idp:b') &&
      directory.includes('a', 'b') &&
      directory.includes('everyone', 'user:x'),
  );
  assert.ok(directory.includes('a', 'service:spiffe://td/y') && directory.includes('a', 'group:b'));
  assert.ok(
    !directory.includes('b', 'a') &&
      !directory.includes('everyone', 'idp:b') &&
      !directory.includes('user:x', 'everyone'),
  );
});

test('an example of a selector is selected by it', () => {
  const directory = new Directory({ a: { members: ['b'] }, b: { members: ['a', 'service:spiffe://td/*'] } });
  for (const selector of [
    'a',
    'b',
    'everyone',
    'user:x',
    'user:x@y.org',
    'role:r',
    'idp:g',
    'service:*',
    'service:n',
  ]) {
    directory.bitOf(selector);
    assert.ok(directory.namesOf(directory.exampleOf(selector)).includes(selector), selector);
  }
});
