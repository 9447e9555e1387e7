// What a gateway keeps between decisions changes none of them: whatever was asked before, by whoever, under whichever
// policy, a ruling is that of a gateway that was just started.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Rulings } from '#gateway/access/ruling';
import type { LiveSession } from '#gateway/identity/live-session';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';
import { policies } from '#test/policy/generate/policies';
import { choices, requestFor } from '#test/policy/generate/requests';
import type { WrittenPolicy } from '#test/policy/reference/written';

const RUNS = 40;
const REQUESTS = 40;
const seed = Number(process.env['SALLYPORT_SEED'] ?? 20_260_304);

function load(written: WrittenPolicy): Policy {
  const loading = loadPolicy(JSON.stringify(written), 'generated.json');
  assert.ok(loading.ok);
  return loading.policy;
}

test('whatever was asked before, a ruling is that of a gateway that was just started', (context) => {
  const verdicts = { allow: 0, deny: 0 };
  const two = fc.tuple(policies, policies);
  const asked = fc.array(fc.tuple(choices, fc.nat(1), fc.boolean()), {
    minLength: REQUESTS,
    maxLength: REQUESTS,
  });
  fc.assert(
    fc.property(two, asked, (written, all) => {
      const loaded = written.map(load);
      let now = 0;
      const current = (): Policy => loaded[now] as Policy;
      const kept = new Rulings(current);
      /** Each subject has one session for good, as a sign-in gives it. */
      const sessions = new Map<string, LiveSession>();
      for (const [choice, which, swap] of all) {
        if (swap) now = which;
        const input: AccessRequest = requestFor(written[now] as WrittenPolicy, choice);
        const name = JSON.stringify(input.subject);
        const session = sessions.get(name) ?? sessionOf(`s${sessions.size}`, input);
        sessions.set(name, session);
        const ruling = kept.rule(session, input);
        assert.deepEqual(ruling, new Rulings(current).rule(session, input), JSON.stringify(input));
        verdicts[ruling.decision.verdict] += 1;
      }
    }),
    { numRuns: RUNS, seed },
  );
  context.diagnostic(`compared ${verdicts.allow} allows and ${verdicts.deny} denies`);
  assert.ok(verdicts.allow > RUNS && verdicts.deny > RUNS);
});

function sessionOf(id: string, { subject, login, at }: AccessRequest): LiveSession {
  return {
    ...{ id, subject, login: login ?? { provider: 'p', at } },
    ...{ createdAt: at, expiresAt: at + 3_600_000, lastSeenAt: at, clientAddress: '192.0.2.1' },
  };
}
