// `sallyport schema`: the JSON Schemas from which editors complete and check our documents.
import type { z } from 'zod';
import { jsonSchema } from '#policy/document';
import { EXIT } from '../exit.ts';

const DOCUMENTS: Readonly<Record<string, () => Promise<z.ZodType>>> = {
  gateway: async () => (await import('#gateway/config')).gatewaySchema,
  connector: async () => (await import('#connectors/config')).connectorSchema,
  policy: async () => (await import('#policy/language/schema')).policySchema,
};

export const help: string = `Usage: sallyport schema ${Object.keys(DOCUMENTS).join('|')}

Prints the JSON Schema of a document. Editors with a YAML language server complete and check from it:
put \`# yaml-language-server: $schema=./gateway.schema.json\` into the document's first line.

Exit codes: 0 printed, 2 wrong usage.

Example: sallyport schema gateway > gateway.schema.json
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [name = '', ...more] = argv;
  const load = Object.hasOwn(DOCUMENTS, name) ? DOCUMENTS[name] : undefined;
  if (load === undefined || more.length > 0) {
    process.stderr.write(`sallyport schema: name one document: ${Object.keys(DOCUMENTS).join(', ')}.\n`);
    return EXIT.usage;
  }
  process.stdout.write(`${JSON.stringify(jsonSchema(await load()), null, 2)}\n`);
  return EXIT.ok;
}
