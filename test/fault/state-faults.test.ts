// Faults that `npm run fault -- state` measures and that do not depend on how quick the machine is, on every run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { providerDown } from './state/identity.ts';
import { revokedConnector } from './state/revocation.ts';
import { upgraded } from './state/upgrade.ts';

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
