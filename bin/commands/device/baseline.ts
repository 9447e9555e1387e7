// `sallyport device baseline`: what devices of one model may have started.
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { askGateway, table } from './admin.ts';

interface Listed {
  readonly id: string;
  readonly model: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly approvedAt?: number;
  readonly approvedBy?: string;
}

const OPTIONS = {
  config: { type: 'string' },
  'open-pcr': { type: 'string', multiple: true, default: [] as string[] },
  'min-firmware': { type: 'string' },
  require: { type: 'string', multiple: true, default: [] as string[] },
  forbid: { type: 'string', multiple: true, default: [] as string[] },
  json: { type: 'boolean', default: false },
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device baseline', argv, OPTIONS);
  if (parsed === undefined) return EXIT.usage;
  const { config, json } = parsed.values;
  const [verb, what, ...more] = parsed.positionals;
  if (verb === undefined) return list(config, json);
  const known = verb === 'learn' || verb === 'approve' || verb === 'remove';
  if (!known || what === undefined || more.length > 0) {
    process.stderr.write(
      'sallyport device baseline: use learn DEVICE, approve ID, remove ID, or nothing to list them.\n',
    );
    return EXIT.usage;
  }
  const path =
    verb === 'learn'
      ? `/v1/devices/${encodeURIComponent(what)}/baseline`
      : `/v1/baselines/${encodeURIComponent(what)}/${verb}`;
  const body = verb === 'learn' ? learnt(parsed.values) : {};
  const answer = await askGateway({ command: 'baseline', config, method: 'POST', path, body });
  if (typeof answer === 'number') return answer;
  const { id, model } = answer as unknown as Listed;
  const next = verb === 'learn' ? ` It counts after: sallyport device baseline approve ${id}` : '';
  process.stdout.write(
    json ? `${JSON.stringify(answer)}\n` : `Baseline ${id} for ${model}: ${PAST[verb]}.${next}\n`,
  );
  return EXIT.ok;
}

const PAST = { learn: 'learnt', approve: 'approved', remove: 'removed' } as const;

function learnt(values: {
  readonly 'open-pcr'?: string[] | undefined;
  readonly 'min-firmware'?: string | undefined;
  readonly require?: string[] | undefined;
  readonly forbid?: string[] | undefined;
}): object {
  const {
    'open-pcr': open = [],
    'min-firmware': firmware,
    require: required = [],
    forbid: forbidden = [],
  } = values;
  return {
    ...(open.length === 0 ? {} : { openPcrs: open.map(Number) }),
    ...(firmware === undefined ? {} : { minimumFirmware: firmware }),
    ...(required.length + forbidden.length === 0 ? {} : { commandLine: { required, forbidden } }),
  };
}

async function list(config: string | undefined, json: boolean): Promise<number> {
  const answer = await askGateway({ command: 'baseline', config, method: 'GET', path: '/v1/baselines' });
  if (typeof answer === 'number') return answer;
  const baselines = answer['baselines'] as readonly Listed[];
  if (json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  else if (baselines.length === 0) {
    process.stdout.write('There is no baseline. sallyport device baseline learn DEVICE makes one.\n');
  } else {
    const rows = baselines.map(({ id, model, createdBy, approvedBy }) => [
      id,
      model,
      `learnt by ${createdBy}`,
      approvedBy === undefined ? 'not approved' : `approved by ${approvedBy}`,
    ]);
    process.stdout.write(table([['ID', 'MODEL', 'ORIGIN', 'STATE'], ...rows]));
  }
  return EXIT.ok;
}
