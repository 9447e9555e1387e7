// `sallyport change apply`: has the running gateway take up a change, then puts its files where the next start reads them.
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { currentChange } from '#gateway/change/accepted';
import { type Bundle, writeBundle } from '#gateway/change/bundle';
import { configurationName, governedFiles } from '#gateway/change/governed';
import { gatewaySchema, resolvePaths } from '#gateway/config';
import { writeWhole } from '#gateway/state/private-files';
import { AdminError, type AdminReply, callAdmin } from '../../admin-client.ts';
import { EXIT } from '../../exit.ts';
import { parseConfig } from '../../read-config.ts';
import { type GatewayDocument, readGatewayDocument } from '../../read-gateway-config.ts';
import { readOptions } from '../../usage.ts';
import { misused, readChangeFile, readText, told } from './file.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('change apply', argv, {
    config: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  const { config: configFile, json } = parsed.values;
  if (file === undefined || configFile === undefined || more.length > 0)
    return misused('apply', 'FILE --config FILE');
  const document = readGatewayDocument(configFile);
  if (document === undefined) return EXIT.usage;
  return told('apply', async () => {
    // Sent as it is: what is wrong with it is for the gateway to say, and to record.
    const { status, body } = await offered(document, file);
    const accepted = status === 200;
    // One that is in force already may have been accepted just before something died.
    if (accepted || body['error'] === 'replayed') writeFiles(document, readChangeFile(file).bundle);
    if (json) {
      const { error: reason, message } = body;
      const answer = accepted ? { ok: true, ...body } : { ok: false, reason, message };
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    } else if (accepted) {
      const { sequence, signers, restart } = body;
      const then =
        restart === true ? '; the new configuration takes effect when the gateway starts again' : '';
      process.stdout.write(
        `change ${sequence} is accepted, signed by ${(signers as string[]).join(', ')}${then}\n`,
      );
    } else {
      process.stderr.write(`sallyport change apply: refused (${body['error']}): ${body['message']}\n`);
    }
    return accepted ? EXIT.ok : EXIT.no;
  });
}

/** What the gateway says of it; or, where none runs, whether it is the change that was accepted last. */
async function offered({ config }: GatewayDocument, file: string): Promise<AdminReply> {
  try {
    return await callAdmin(config, 'POST', '/v1/changes', readText(file));
  } catch (error) {
    const kept = currentChange(config.state);
    if (!(error instanceof AdminError) || kept === undefined || kept.id !== readChangeFile(file).id)
      throw error;
    const message = `number ${kept.statement.sequence} was accepted before; its files are where they belong now: start the gateway`;
    return { status: 409, body: { error: 'replayed', message } };
  }
}

/** Puts what was accepted where the new configuration says that it lies. */
function writeFiles({ file, config, text }: GatewayDocument, bundle: Bundle): void {
  const next = bundle.contents[configurationName(config)] ?? text;
  const parsed = parseConfig(next, file, gatewaySchema);
  if (parsed === undefined) return;
  const resolved = resolvePaths(parsed, dirname(file));
  for (const { name, path } of governedFiles(resolved, file)) put(path, bundle.contents[name]);
  if (resolved.changes !== undefined) put(resolved.changes.bundle, writeBundle(bundle));
  else put(file, next);
}

function put(path: string, content: string | undefined): void {
  const there = existsSync(path);
  if (content === undefined || (there && readFileSync(path, 'utf8') === content)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeWhole(path, content, there ? statSync(path).mode & 0o777 : 0o644);
}
