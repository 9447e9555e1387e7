// What a refused person learns: what they can fix, never what they are not entitled to know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StandingReason } from '#gateway/context/standing';
import { denialJson, denialOf } from '#gateway/portal/denial';
import { deniedPage } from '#gateway/portal/pages';
import type { Explanation } from '#policy/decision';

const explanation = (over: Partial<Explanation>): Explanation => ({
  decision: { verdict: 'deny', reason: 'no-rule-matched' },
  nearest: [
    {
      rule: 'secret-rule-id',
      effect: 'allow',
      unmet: [{ criterion: 'mfa', code: 'mfa-too-old', need: '15m', have: '9h' }],
      met: ['who', 'hours'],
    },
  ],
  remedy: { kind: 'step-up', maxAge: 900_000 },
  entitled: true,
  ...over,
});
const context = (over: Partial<Explanation>, device: readonly StandingReason[] = []) => ({
  explanation: explanation(over),
  device,
  bindHref: '/.sallyport/device?path=%2F',
  appName: 'Wiki',
  reference: '0199-ref',
  stepUpHref: '/.sallyport/step-up?path=%2F',
});

test('a missing second factor is named, with the way to it', () => {
  const denial = denialOf(context({}));
  assert.deepEqual(
    denial.checks.map(({ criterion, met }) => [criterion, met]),
    [
      ['mfa', false],
      ['who', true],
      ['hours', true],
    ],
  );
  assert.equal(denial.action?.href, '/.sallyport/step-up?path=%2F');
  assert.equal(denial.reference, '0199-ref');
});

test('who is not entitled learns neither the app nor the policy', async () => {
  const denial = denialOf(context({ entitled: false }));
  const shown =
    (await deniedPage('https://access.example.com', 'Ben', denial)) + JSON.stringify(denialJson(denial));
  for (const secret of ['Wiki', 'secret-rule-id', 'mfa', 'factor'])
    assert.ok(!shown.includes(secret), secret);
  assert.ok(shown.includes('0199-ref'));
});

test('nobody learns a rule’s id, or what it asks for in its own words', async () => {
  const denial = denialOf(context({}));
  const shown =
    (await deniedPage('https://access.example.com', 'Ben', denial)) + JSON.stringify(denialJson(denial));
  for (const secret of ['secret-rule-id', 'mfa-too-old', '15m', '9h'])
    assert.ok(!shown.includes(secret), secret);
});

test('a deny rule’s own reason is the sentence', () => {
  const decision = {
    verdict: 'deny',
    reason: 'denied-by-rule',
    rule: { id: 'embargo', because: 'Not from here.' },
  } as const;
  assert.equal(denialOf(context({ decision, remedy: { kind: 'none' } })).sentence, 'Not from here.');
});

test('a program gets the same as JSON', () => {
  const json = denialJson(
    denialOf(context({ remedy: { kind: 'wait-until', at: Date.parse('2026-03-05T08:00:00Z') } })),
  );
  assert.deepEqual(json['remedy'], { kind: 'wait-until', at: '2026-03-05T08:00:00.000Z' });
  assert.deepEqual(json['missing'], [{ criterion: 'mfa', message: 'a recent sign-in with a second factor' }]);
});

test('a name with markup is shown as text', async () => {
  const page = await deniedPage(
    'https://access.example.com',
    '<script>alert(1)</script>',
    denialOf(context({})),
  );
  assert.ok(!page.includes('<script>'));
});

const DEVICE_UNMET = [
  { criterion: 'device', code: 'posture-mismatch', need: 'secureBoot', have: 'not secureBoot' },
];
const nearest = [{ rule: 'r', effect: 'allow' as const, unmet: DEVICE_UNMET, met: [] }];

test('a device that is not well is told what was found and what mends it', async () => {
  const off = { code: 'secure-boot-off', message: 'Secure boot is off.', remedy: 'Switch secure boot on.' };
  const denial = denialOf(context({ nearest, remedy: { kind: 'mend-device' } }, [off]));
  assert.deepEqual(denial.steps, ['Switch secure boot on.']);
  assert.equal(denial.action, undefined);
  const shown = await deniedPage('https://access.example.com', 'Ben', denial);
  for (const text of ['Secure boot is off.', 'What to do', 'Switch secure boot on.'])
    assert.ok(shown.includes(text), text);
  assert.deepEqual(denialJson(denial)['remedy'], { kind: 'mend-device', steps: ['Switch secure boot on.'] });
});

test('a browser that showed no device gets a button for it', () => {
  const unbound = {
    code: 'not-bound',
    message: 'Not known.',
    remedy: 'Show which device this is.',
    bind: true,
  };
  const denial = denialOf(context({ nearest, remedy: { kind: 'enrol-device' } }, [unbound]));
  assert.equal(denial.action?.href, '/.sallyport/device?path=%2F');
  assert.equal(denial.steps.length, 2);
  assert.match(denial.steps[1] ?? '', /sallyport device enrol/);
});

test('where one change is not enough, every step is shown in order', () => {
  const remedy = {
    kind: 'request-access',
    next: { kind: 'mend-device', next: { kind: 'step-up' } },
  } as const;
  const off = { code: 'secure-boot-off', message: 'Secure boot is off.', remedy: 'Switch secure boot on.' };
  const { steps } = denialOf(context({ nearest, remedy }, [off]));
  assert.equal(steps.length, 3);
  assert.match(steps.join('|'), /^Ask your administrator.*\|Switch secure boot on\.\|Sign in again/);
});

test('what is wrong with a device is said only where a device is asked for', () => {
  const off = { code: 'secure-boot-off', message: 'Secure boot is off.', remedy: 'Switch secure boot on.' };
  const denial = denialOf(context({}, [off]));
  assert.ok(!JSON.stringify(denial).includes('Secure boot'));
});
