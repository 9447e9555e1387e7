// `sallyport change propose`: makes a change from what is committed in git.
import { existsSync } from 'node:fs';
import { writeBundle } from '#gateway/change/bundle';
import { writeWhole } from '#gateway/state/private-files';
import { callAdmin } from '../../admin-client.ts';
import { EXIT } from '../../exit.ts';
import { readGatewayConfig } from '../../read-gateway-config.ts';
import { readOptions } from '../../usage.ts';
import { misused, readChangeFile, told } from './file.ts';
import { type ConfigFile, type Predecessor, ProposalError, proposal } from './proposal.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('change propose', argv, {
    config: { type: 'string', multiple: true },
    out: { type: 'string' },
    previous: { type: 'string' },
    first: { type: 'boolean', default: false },
    repository: { type: 'string' },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: files = [], out, previous, first, repository } = parsed.values;
  const wrong = files.length === 0 || out === undefined || parsed.positionals.length > 0;
  if (wrong || (first && previous !== undefined))
    return misused('propose', '--config FILE --out FILE [--previous FILE | --first]');
  const configs: ConfigFile[] = [];
  for (const file of files) {
    const config = readGatewayConfig(file);
    if (config === undefined) return EXIT.usage;
    configs.push({ file, config });
  }
  return told('propose', async () => {
    const predecessor = first ? undefined : await predecessorOf(previous, configs);
    const bundle = proposal(configs, predecessor, repository);
    if (existsSync(out)) throw new ProposalError(`${out} is there already`);
    writeWhole(out, writeBundle(bundle), 0o644);
    process.stdout.write(
      `change ${(predecessor?.sequence ?? 0) + 1} in ${out}; next: sallyport change sign ${out} --key KEY\n`,
    );
    return EXIT.ok;
  });
}

async function predecessorOf(
  file: string | undefined,
  [first]: readonly ConfigFile[],
): Promise<Predecessor | undefined> {
  if (file !== undefined) {
    const { id, statement } = readChangeFile(file);
    return { id, sequence: statement.sequence };
  }
  const { status, body } = await callAdmin(first?.config ?? '', 'GET', '/v1/changes').catch(
    (error: Error) => {
      throw new ProposalError(
        `${error.message}; or name the change in force with --previous FILE, or give --first`,
      );
    },
  );
  if (status !== 200) throw new ProposalError(String(body['message']));
  const { id, sequence } = body;
  return typeof id === 'string' && typeof sequence === 'number' ? { id, sequence } : undefined;
}
