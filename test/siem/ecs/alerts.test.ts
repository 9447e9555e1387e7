// docs/soc.md names every event that can be an alert, with its severities, and no other.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Mapper } from '#siem/ecs/mapper';
import type { SallyportEvent } from '#siem/event';
import { examples } from './examples.ts';

const ID = '019cb830-5000-7a00-8000-000000000001';

/** What makes an alert of an event: each member is tried in every event that has it. */
const TELLING: Readonly<Record<string, readonly unknown[]>> = {
  breakGlass: [true, false],
  verdict: ['refused', 'drifted', 'unproven'],
  code: ['quote-replayed'],
};

function variants(event: SallyportEvent): SallyportEvent[] {
  let all: object[] = [event];
  for (const [member, values] of Object.entries(TELLING)) {
    if (!(member in event)) continue;
    all = all.flatMap((one) => [one, ...values.map((value) => ({ ...one, [member]: value }))]);
  }
  return all as SallyportEvent[];
}

test('the table of alerts is what the events are', () => {
  const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });
  const alerts = new Set<string>();
  // Decisions have verdicts of their own, which make no alerts.
  for (const example of Object.values(examples).filter(({ kind }) => kind !== 'access-decided')) {
    for (const event of variants(example)) {
      const told: Readonly<Record<string, unknown>> = mapper.document(event, ID, 0).event;
      if (told['kind'] === 'alert') alerts.add(`${told['action']} ${told['severity']}`);
    }
  }
  const page = readFileSync(join(import.meta.dirname, '../../../docs/soc.md'), 'utf8');
  const rows = page.slice(page.indexOf('## Alerts')).matchAll(/^\| (`.*`) \| ([\d, ]+) \|/gm);
  const named = [...rows].flatMap(([, actions = '', severities = '']) =>
    [...actions.matchAll(/`([^`]+)`/g)].flatMap(([, action]) =>
      severities.split(', ').map((severity) => `${action} ${severity}`),
    ),
  );
  assert.deepEqual([...alerts].sort(), named.sort());
});
