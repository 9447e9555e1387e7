// Faults that `npm run fault -- state` measures and that do not depend on how quick the machine is, on every run.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { providerDown } from './state/identity.ts';
import { revokedConnector } from './state/revocation.ts';
import { upgraded } from './state/upgrade.ts';
import { FAULTS as ALL } from './state.ts';

const FAULTS = {
  'the identity provider is down': providerDown,
  'a connector comes back with a revoked certificate': revokedConnector,
  'the state is of an earlier version, and of a later one': upgraded,
};

for (const [name, fault] of Object.entries(FAULTS)) {
  test(name, { timeout: 120_000 }, async (t) => {
    const { required, measured, held } = await fault(t);
    t.diagnostic(measured);
    assert.ok(held, `promised: ${required}; measured: ${measured}`);
  });
}

test('the page on the state has a line for every fault', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/state.md'), 'utf8');
  const lines = [...page.matchAll(/^\| [^|]+ \| `([a-z-]+)`(?: \*)? \| [^|]+ \| [^|]+ \|$/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(lines.toSorted(), Object.keys(ALL).toSorted());
});
