// Paths: to the letter for an allow, leniently for a deny, and unknown unless in canonical form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessRequest } from '#policy/input';
import { criterionTest, policyOf, requestWith, verdict } from './ask.ts';

const at = (path: string): Partial<AccessRequest> => ({
  target: { app: 'app', protocol: 'http', method: 'GET', path },
});

criterionTest('paths', 'wrong-path', [
  ['paths: /api/users', at('/api/users'), 'met'],
  ['paths: /api/users', at('/api/user'), 'unmet'],
  ['paths: /api/users', at('/api/users/1'), 'unmet'],
  ['paths: "/api/users/{id}"', at('/api/users/1'), 'met'],
  ['paths: "/api/users/{id}"', at('/api/users/1/keys'), 'unmet'],
  ['paths: "/api/users/{id}"', at('/api/users/'), 'unmet'],
  ['paths: "/api/*/keys"', at('/api/7/keys'), 'met'],
  ['paths: /api/**', at('/api/a/b/c'), 'met'],
  ['paths: /api/**', at('/api'), 'met'],
  ['paths: /api/**', at('/apis'), 'unmet'],
  ['paths: /**', at('/'), 'met'],
  ['paths: /', at('/'), 'met'],
  ['paths: /', at('/x'), 'unmet'],
  ['paths: [/a, /b]', at('/b'), 'met'],
  ['paths: /**', at('*'), 'unknown'],
  ['paths: /**', at(''), 'unknown'],
  ['paths: /**', at('/a/../b'), 'unknown'],
  ['paths: /**', at('/a/..'), 'unknown'],
  ['paths: /**', at('/a/..;/b'), 'unknown'],
  ['paths: /**', at('/a//b'), 'unknown'],
  ['paths: /**', at('/a%2Fb'), 'unknown'],
  ['paths: /**', at('/a%2fb'), 'unknown'],
  ['paths: /**', at('/%61'), 'unknown'],
  ['paths: /**', at('/a%5Cb'), 'unknown'],
  ['paths: /**', at('/a%00'), 'unknown'],
  ['paths: /**', at('/a%'), 'unknown'],
  ['paths: /**', at('/a\\b'), 'unknown'],
  ['paths: /**', at('/a#b'), 'unknown'],
  ['paths: /**', at('/a?b'), 'unknown'],
  ['paths: /**', at('/a b'), 'unknown'],
  ['paths: /**', at('/ä'), 'unknown'],
  ['paths: /**', at('/a"b'), 'unknown'],
  ['paths: /**', at('/a%2541'), 'unknown'],
  ['paths: /**', at('/%C0%AE/a'), 'unknown'],
  ['paths: /**', at('/;a'), 'unknown'],
  ['paths: /**', at('/100%25'), 'met'],
  ['paths: /a%20b', at('/a%20b'), 'met'],
  ['paths: "/.well-known/{file}"', at('/.well-known/x'), 'met'],
]);

test('a deny holds however a lenient application could be talked into the same path', () => {
  const policy = policyOf(
    'version: 1\napps: [app]\nrules:\n  - { id: open, allow: app, who: everyone }\n  - { id: shut, deny: app, paths: [/admin/**, /Export/] }',
  );
  const denied = [
    '/admin',
    '/admin/',
    '/ADMIN/x',
    '/admin;a=b',
    '/admin;a/x',
    '/export',
    '/EXPORT/',
    '/export;x',
  ];
  for (const path of denied) assert.equal(verdict(policy, requestWith(at(path))), 'deny', path);
  for (const path of ['/administer', '/x/admin', '/exports']) {
    assert.equal(verdict(policy, requestWith(at(path))), 'allow', path);
  }
});

test('a deny holds for letters beyond ASCII in either case, composed or not, and of any width', () => {
  const policy = policyOf(
    'version: 1\napps: [app]\nrules:\n  - { id: open, allow: app, who: everyone }\n  - { id: shut, deny: app, paths: [/%C3%BCbung/**, /keys, "/one/*"] }',
  );
  const kelvin = '%E2%84%AA';
  for (const path of [
    ...['/%C3%BCbung', '/%C3%9Cbung/x', '/%C3%9CBUNG', '/U%CC%88bung', `/${kelvin}eys`, '/%EF%BD%8Beys'],
    // A slash of full width stays in its segment.
    ...['/one/a%EF%BC%8Fb', '/one/%FF'],
  ])
    assert.equal(verdict(policy, requestWith(at(path))), 'deny', path);
  for (const path of ['/%C3%B6bung', '/ubung', '/one/a/b'])
    assert.equal(verdict(policy, requestWith(at(path))), 'allow', path);
});

test('an allow is read to the letter', () => {
  const policy = policyOf(
    'version: 1\napps: [app]\nrules:\n  - { id: a, allow: app, who: everyone, paths: [/Users] }',
  );
  assert.equal(verdict(policy, requestWith(at('/Users'))), 'allow');
  for (const path of ['/users', '/Users/', '/Users;x', '/Users%20']) {
    assert.equal(verdict(policy, requestWith(at(path))), 'deny', path);
  }
});
