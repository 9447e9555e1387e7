// Writes docs/events.md from the mapper itself: what is documented is what full examples of every event become.
import ecs from '@elastic/ecs';
import { encodeLine } from '#siem/ecs/document';
import { catalogue, Mapper } from '#siem/ecs/mapper';
import { ownFields } from '#siem/ecs/own-fields';
import type { EventKind, SallyportEvent } from '#siem/event';
import { examples } from './examples.ts';

const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });
const id = '019cb830-5000-7a00-8000-000000000001';
const time = Date.parse('2026-03-04T09:12:13.456Z');
const flat = ecs.EcsFlat as unknown as Readonly<Record<string, { short: string; type: string }>>;
const own = new Map(ownFields.map((field) => [field.name, field]));

interface Document {
  readonly event: Readonly<Record<string, string | readonly string[]>>;
  readonly data_stream: { readonly dataset: string };
}

function documentOf(event: SallyportEvent): Document {
  return JSON.parse(encodeLine(mapper.document(event, id, time)));
}

/** Every leaf of a document with its value: own objects and ECS fields count as leaves. */
function leaves(value: unknown, path: string): [string, unknown][] {
  const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!nested || own.has(path) || (flat[path] !== undefined && flat[path].type !== 'object'))
    return [[path, value]];
  return Object.entries(value).flatMap(([name, member]) =>
    leaves(member, path === '' ? name : `${path}.${name}`),
  );
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function code(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 59)}…` : text;
  return `\`${cell(short).replaceAll('`', "'")}\``;
}

/** The whole page. */
export function reference(): string {
  const kinds = Object.keys(catalogue) as EventKind[];
  const documents = kinds.map((kind) => documentOf(examples[kind]));
  const rows = kinds.map((kind, index) => {
    const { event, data_stream: stream } = documents[index] as Document;
    const list = (name: string): string => [event[name]].flat().join(', ');
    const parts = [list('action'), stream.dataset, `${list('category')} / ${list('type')}`, list('outcome')];
    return `| ${parts.map((part) => code(part)).join(' | ')} | ${cell(catalogue[kind].about)} |`;
  });
  const fields = new Map<string, unknown>();
  for (const document of documents) {
    for (const [path, value] of leaves(document, '')) if (!fields.has(path)) fields.set(path, value);
  }
  const fieldRows = [...fields]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, value]) => fieldRow(path, value));
  return `# Events

Every decision, sign-in, connector and change is one JSON document that follows Elastic Common Schema ${ecs.EcsVersion}, on
one line, in the gateway's outbox and in every sink. This page is made from the code by
\`node test/siem/ecs/write-reference.ts\`, and a test fails when it is old.

- An id comes once: \`event.id\` is a UUIDv7, and a repeated delivery has the same one.
- \`event.sequence\` counts by one for each \`sallyport.gateway.id\`, over restarts: a gap is a loss, or somebody's doing.
- A deny that is enforced has \`event.outcome: success\`; a sign-in that failed, and a decision that
  could not be made (\`event.code: error\`, a deny with status 503), have \`failure\`.
- Alerts have \`event.kind: alert\` and a severity of 21, 47, 73 or 99.
- Values of query parameters, referrer paths, cookies, tokens and headers are never in a document.
- Data streams are \`logs-<dataset>-<namespace>\`.

## Kinds

| \`event.action\` | dataset | category / type | outcome | when |
|---|---|---|---|---|
${rows.join('\n')}

\`access-denied\` has the sibling \`access-allowed\`, with type \`allowed\` and the fields of \`rule\`; \`login-succeeded\` becomes
\`step-up-succeeded\` when a person signed in again for a rule that asked for it.

## Fields

| field | type | meaning | example |
|---|---|---|---|
${fieldRows.join('\n')}

## A whole document

\`\`\`json
${JSON.stringify(documentOf(examples['access-decided']), null, 2)}
\`\`\`
`;
}

function fieldRow(path: string, value: unknown): string {
  const field = own.get(path);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const [type, meaning] =
    field === undefined ? [flat[path]?.type ?? '', flat[path]?.short ?? ''] : [field.type, field.meaning];
  return `| \`${path}\` | ${type} | ${cell(meaning)} | ${code(text)} |`;
}
