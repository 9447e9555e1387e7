// `sallyport change log`: the history of changes, read from the entries of the transparency log.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from '#siem/ledger/audit/bundles';
import { openCheckpoint } from '#siem/ledger/checkpoint';
import { readVerifier } from '#siem/ledger/key';
import { actionOf } from '#siem/ledger/kinds';
import { CHECKPOINT } from '#siem/ledger/log';
import { NoteError } from '#siem/ledger/note';
import { TILE_WIDTH } from '#siem/ledger/tile';
import { EXIT } from '../../exit.ts';
import { readGatewayConfig } from '../../read-gateway-config.ts';
import { terminalLines } from '../../terminal-lines.ts';
import { readOptions } from '../../usage.ts';
import { misused } from './file.ts';

const SHOWN: ReadonlySet<string> = new Set(['change-accepted', 'change-refused']);

interface Entry {
  readonly '@timestamp': string;
  readonly event: { readonly action: string; readonly code?: string; readonly reason?: string };
  readonly sallyport: {
    readonly change?: {
      readonly hash?: string;
      readonly sequence?: number;
      readonly commit?: string;
      readonly author?: string;
      readonly title?: string;
      readonly signers?: readonly string[];
    };
    readonly actor?: { readonly id?: string };
  };
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('change log', argv, {
    config: { type: 'string' },
    state: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config, state, json } = parsed.values;
  if ((config === undefined && state === undefined) || parsed.positionals.length > 0)
    return misused('log', '(--config FILE | --state DIR)');
  const found = state ?? readGatewayConfig(config ?? '')?.state;
  if (found === undefined) return EXIT.usage;
  try {
    for (const entry of entriesIn(join(found, 'ledger', 'changes')))
      process.stdout.write(json ? `${JSON.stringify(shown(entry))}\n` : terminalLines([asText(entry)]));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    process.stderr.write(`sallyport change log: ${error.message}\n`);
    return EXIT.no;
  }
}

/** Throws NoteError when there is no log, or its checkpoint is not signed by its key. */
function* entriesIn(directory: string): Generator<Entry> {
  if (!existsSync(join(directory, CHECKPOINT))) throw new NoteError(`there is no log in ${directory}`);
  const { size } = openCheckpoint(readFileSync(join(directory, CHECKPOINT), 'utf8'), readVerifier(directory));
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    for (const entry of entriesOf(directory, size, index)) {
      if (SHOWN.has(actionOf(entry))) yield JSON.parse(entry.toString('utf8')) as Entry;
    }
  }
}

function shown(entry: Entry): Record<string, unknown> {
  const { hash: id, sequence, commit, author, title: subject, signers } = entry.sallyport.change ?? {};
  const { action, code, reason } = entry.event;
  const accepted = action === 'change-accepted';
  return {
    ...{ at: entry['@timestamp'], accepted, id, sequence, commit, author, subject, signers },
    ...(accepted ? {} : { reason: code, message: reason }),
    by: entry.sallyport.actor?.id,
  };
}

function asText(entry: Entry): string {
  const { sequence, commit, title, signers } = entry.sallyport.change ?? {};
  const { action, code, reason } = entry.event;
  const number = sequence === undefined ? '' : `  ${sequence}`;
  const at = entry['@timestamp'].slice(0, 19);
  return action === 'change-accepted'
    ? `${at}Z  accepted${number}  ${commit?.slice(0, 12)}  ${title}  signed by ${signers?.join(', ')}`
    : `${at}Z  refused ${number}  ${code}  ${reason}`;
}
