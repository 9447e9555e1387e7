// Every detection against scenes that must and must not set it off; its form; and that it only names fields we have.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ecs from '@elastic/ecs';
import { dashboardObjects } from '#siem/detections/dashboard';
import { elasticRules } from '#siem/detections/elastic';
import { sigmaFiles } from '#siem/detections/write';
import { ownFields } from '#siem/ecs/own-fields';
import { elasticFires } from './elastic.ts';
import { documentsOf, runsAt } from './scene.ts';
import { PRIVILEGED, scenes } from './scenes.ts';
import { type SigmaRule, sigmaFires, sigmaRules } from './sigma.ts';

const elastic = elasticRules(PRIVILEGED);
const sigma = new Map(
  sigmaFiles(PRIVILEGED).map(([file, text]) => [file.slice('sigma/'.length, -4), sigmaRules(text)]),
);
/** Arithmetic over several events is beyond Sigma. */
const ELASTIC_ONLY = ['sequence-gap'];

test('every detection has scenes, and both forms where both can say it', () => {
  assert.deepEqual([...elastic.keys()].sort(), Object.keys(scenes).sort());
  assert.deepEqual([...sigma.keys(), ...ELASTIC_ONLY].sort(), Object.keys(scenes).sort());
});

for (const [name, { fires, quiet }] of Object.entries(scenes)) {
  describe(name, () => {
    for (const [expected, list] of [[true, fires] as const, [false, quiet] as const]) {
      for (const scene of list) {
        test(`${expected ? 'fires' : 'is quiet'}: ${scene.says}`, () => {
          const documents = documentsOf(scene);
          const rule = elastic.get(name);
          assert.ok(rule !== undefined);
          assert.equal(elasticFires(rule, documents, runsAt(scene)), expected, 'Elastic');
          const rules = sigma.get(name);
          if (rules !== undefined)
            assert.equal(sigmaFires(rules, documents, runsAt(scene)), expected, 'Sigma');
        });
      }
    }
  });
}

test('Elastic rules are complete, unique, and agree with their Sigma rule', () => {
  const risks: Record<string, number> = { low: 21, medium: 47, high: 73, critical: 99 };
  const ids = new Set<unknown>();
  for (const [name, rule] of elastic) {
    for (const key of ['name', 'description', 'note', 'query', 'rule_id', 'false_positives', 'threat']) {
      assert.ok(rule[key] !== undefined && rule[key] !== '', `${name}: ${key}`);
    }
    ids.add(rule.rule_id);
    assert.match(rule.rule_id, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/, name);
    assert.equal(rule['risk_score'], risks[String(rule['severity'])], name);
    assert.ok(!JSON.stringify(rule).includes('%privileged_apps%'), name);
    if (rule['type'] === 'esql') assert.match(String(rule['query']), /^FROM logs-sallyport\./, name);
    else assert.deepEqual(rule['index'], ['logs-sallyport.*'], name);
    const alerting = sigma.get(name)?.at(-1);
    if (alerting === undefined) continue;
    assert.equal(alerting.level, rule['severity'], name);
    const threats = rule['threat'] as {
      tactic: { name: string };
      technique: { id: string; subtechnique?: { id: string }[] }[];
    }[];
    const tags = threats.flatMap(({ tactic, technique }) => [
      `attack.${tactic.name.toLowerCase().replaceAll(' ', '-')}`,
      ...technique.map(({ id, subtechnique }) => `attack.${(subtechnique?.[0]?.id ?? id).toLowerCase()}`),
    ]);
    assert.deepEqual(alerting.tags ?? [], tags, name);
  }
  assert.equal(ids.size, elastic.size);
});

test('without a list, every app counts as privileged', () => {
  assert.match(String(elasticRules([]).get('new-device')?.['query']), /sallyport\.app\.id: \*$/);
  const text = sigmaFiles([])
    .map(([, one]) => one)
    .join('');
  assert.ok(!text.includes('%') && text.includes('sallyport.app.id: "*"'));
});

test('Sigma rules have what the specification asks, with ids of their own', () => {
  const rules = [...sigma.values()].flat();
  assert.equal(new Set(rules.map(({ id }) => id)).size, rules.length);
  assert.equal(new Set(rules.map(({ title }) => title)).size, rules.length);
  for (const rule of rules) {
    assert.match(
      rule.id,
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      rule.title,
    );
    assert.ok(rule.title.length <= 256 && rule.description.length > 16, rule.title);
    assert.ok(['informational', 'low', 'medium', 'high', 'critical'].includes(rule.level), rule.title);
    assert.ok(rule.falsepositives.length > 0 && rule.status === 'stable', rule.title);
    assert.ok(
      (rule.detection !== undefined && rule.logsource !== undefined) !== (rule.correlation !== undefined),
    );
  }
});

const known = new Set([...Object.keys(ecs.EcsFlat), ...ownFields.flatMap(searchable)]);

function searchable({ name, searchable: members = {} }: (typeof ownFields)[number]): string[] {
  return [name, ...Object.keys(members).map((member) => `${name}.${member}`)];
}

/** ES|QL's own columns have no dot. */
function fieldsIn(query: string): string[] {
  const bare = query.replace(/"[^"]*"/g, '').replace(/logs-sallyport[\w.*-]*/g, '');
  return bare.match(/@timestamp|\b[a-z_]+(?:\.[a-z_0-9]+)+/g) ?? [];
}

function fieldsOf(rule: SigmaRule): string[] {
  const { condition: _, ...selections } = rule.detection ?? { condition: '' };
  const selected = Object.values(selections).flatMap((one) => Object.keys(one as object));
  const { correlation } = rule;
  const counted = correlation?.condition?.field;
  const fields = [
    ...selected,
    ...(correlation?.['group-by'] ?? []),
    ...(counted === undefined ? [] : [counted]),
  ];
  return fields.map((field) => field.split('|')[0] ?? '');
}

test('rules and dashboard name no field that events do not have', () => {
  const used: [string, string][] = [];
  for (const [name, rule] of elastic) {
    const { threshold, new_terms_fields: terms = [] } = rule as {
      threshold?: { field: string[]; cardinality?: { field: string }[] };
      new_terms_fields?: string[];
    };
    const counted = [
      ...(threshold?.field ?? []),
      ...(threshold?.cardinality ?? []).map(({ field }) => field),
    ];
    const fields = [
      ...fieldsIn(String(rule['query'])),
      ...counted,
      ...terms,
      String(rule['timestamp_override']),
    ];
    used.push(...fields.map((field): [string, string] => [name, field]));
  }
  for (const [name, rules] of sigma) {
    used.push(...rules.flatMap(fieldsOf).map((field): [string, string] => [name, field]));
  }
  for (const panel of panels()) {
    const { state } = panel.embeddableConfig.attributes;
    used.push(...fieldsIn(state.query.query).map((field): [string, string] => [panel.title, field]));
    for (const { columns } of Object.values(state.datasourceStates.formBased.layers)) {
      const fields = Object.values(columns).map(({ sourceField }) => sourceField);
      used.push(...fields.map((field): [string, string] => [panel.title, field]));
    }
  }
  assert.ok(used.length > 100);
  assert.deepEqual(
    used.filter(([, field]) => field !== '___records___' && !known.has(field)),
    [],
  );
});

interface PanelState {
  readonly query: { readonly query: string };
  readonly datasourceStates: {
    readonly formBased: {
      readonly layers: Record<string, { readonly columns: Record<string, { readonly sourceField: string }> }>;
    };
  };
}

function panels(): {
  title: string;
  panelIndex: string;
  gridData: { x: number; y: number; w: number; h: number };
  embeddableConfig: { attributes: { state: PanelState; references: { name: string }[] } };
}[] {
  const dashboard = dashboardObjects().find(({ type }) => type === 'dashboard');
  return JSON.parse(String(dashboard?.attributes['panelsJSON']));
}

test('the dashboard fits together: references resolve, and no panel lies on another', () => {
  const [view, dashboard] = dashboardObjects();
  assert.ok(view !== undefined && dashboard !== undefined);
  for (const reference of dashboard.references) assert.equal(reference.id, view.id);
  const cells = new Set<string>();
  let area = 0;
  for (const { panelIndex, gridData, embeddableConfig } of panels()) {
    const { x, y, w, h } = gridData;
    assert.ok(x + w <= 48);
    area += w * h;
    for (let cell = 0; cell < w * h; cell++) cells.add(`${x + (cell % w)},${y + Math.floor(cell / w)}`);
    for (const layer of Object.keys(embeddableConfig.attributes.state.datasourceStates.formBased.layers)) {
      const name = `${panelIndex}:indexpattern-datasource-layer-${layer}`;
      assert.ok(dashboard.references.some((reference) => reference.name === name));
    }
  }
  assert.equal(cells.size, area);
});
