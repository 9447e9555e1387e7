// The documents' configuration for Istio against the schemas that Istio publishes with its API: every key, type and value
// is one that Istio knows. Rules of the schemas on what may stand together are not looked at. Needs go and its proxy.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { requires } from '#test/requires';

const PAGE = join(import.meta.dirname, '../../../docs/assertion.md');
const MODULE = 'istio.io/api@v1.29.2';
const CRDS = 'kubernetes/customresourcedefinitions.gen.yaml';

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Record<string, unknown>;
}
interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema: { readonly openAPIV3Schema: { readonly properties: { readonly spec: Schema } } };
    }[];
  };
}
type Schema = Readonly<Record<string, unknown>>;

const LEFT_OUT = new Set(['description', 'format', 'not', 'oneOf', 'anyOf', 'allOf']);

/** The schema without what only a cluster judges; keys that it does not name are mistakes. */
function strict(schema: Schema): Schema {
  const known = Object.entries(schema).filter(([key]) => !LEFT_OUT.has(key) && !key.startsWith('x-'));
  const kept = known.map(([key, value]) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [key, value];
    if (key !== 'properties') return [key, strict(value as Schema)];
    return [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, strict(one)]))];
  });
  const closed = schema['properties'] !== undefined && schema['additionalProperties'] === undefined;
  return { ...Object.fromEntries(kept), ...(closed ? { additionalProperties: false } : {}) };
}

test('Istio knows all that the documents tell it', { skip: requires('go') }, (t) => {
  const { stdout } = spawnSync('go', ['mod', 'download', '-json', MODULE], { encoding: 'utf8' });
  const { Dir: directory } = JSON.parse(stdout || '{}') as { Dir?: string };
  if (directory === undefined) {
    t.skip(`skipped: ${MODULE} cannot be fetched`);
    return;
  }
  const read = <T>(text: string): T[] => parseAllDocuments(text).map((one) => one.toJS() as T);
  const definitions = read<Definition | null>(readFileSync(join(directory, CRDS), 'utf8'));
  const problemsOf = ({ apiVersion, kind, spec }: Resource): string[] => {
    const [group, version] = apiVersion.split('/');
    const definition = definitions.find((one) => one?.spec.group === group && one?.spec.names.kind === kind);
    const served = definition?.spec.versions.find((one) => one.name === version && one.served);
    if (served === undefined) return [`there is no ${kind} in ${apiVersion}`];
    const schema = z.fromJSONSchema(
      strict(served.schema.openAPIV3Schema.properties.spec) as Parameters<typeof z.fromJSONSchema>[0],
    );
    return (
      schema.safeParse(spec).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
    );
  };
  const shown = /## Istio[\s\S]*?```yaml\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
  const resources = read<Resource>(shown);
  assert.deepEqual(
    resources.map(({ kind }) => kind),
    ['RequestAuthentication', 'AuthorizationPolicy'],
  );
  for (const resource of resources) assert.deepEqual(problemsOf(resource), []);

  const broken: readonly [string, string][] = [
    ['fromHeaders', 'fromHeader'],
    ['audiences: [grafana]', 'audiences: grafana'],
    ['forwardOriginalToken: true', 'forwardOriginalToken: 1'],
    ['action: ALLOW', 'action: PERMIT'],
    ['requestPrincipals', 'requestPrincipal'],
    ['security.istio.io/v1\n', 'security.istio.io/v2\n'],
  ];
  for (const [good, bad] of broken) {
    assert.ok(shown.includes(good), good);
    const found = read<Resource>(shown.replaceAll(good, bad)).flatMap(problemsOf);
    assert.ok(found.length > 0, `${bad} is a mistake`);
  }
});
