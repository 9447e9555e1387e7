// `sallyport device token`: lets one device enrol.
import { requirePlaceFor, writeWhole } from '#gateway/state/private-files';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { askGateway } from './admin.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device token', argv, {
    config: { type: 'string' },
    name: { type: 'string' },
    owner: { type: 'string' },
    connector: { type: 'string' },
    model: { type: 'string' },
    approved: { type: 'boolean', default: false },
    life: { type: 'string', default: '1h' },
    'ek-name': { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const {
    config,
    connector,
    name = connector,
    owner,
    model,
    approved,
    life: lifeText,
    'ek-name': ekName,
    out,
    json,
  } = parsed.values;
  const match = /^([1-9][0-9]{0,5})([smh])$/.exec(lifeText);
  if (name === undefined || match === null || parsed.positionals.length > 0) {
    process.stderr.write(
      'sallyport device token: give --config FILE and --name NAME or --connector NAME; --life is written 90s, 15m or 2h.\n',
    );
    return EXIT.usage;
  }
  if (owner !== undefined && connector !== undefined) {
    process.stderr.write(
      'sallyport device token: a machine is a person’s (--owner) or a connector’s (--connector), not both.\n',
    );
    return EXIT.usage;
  }
  if (out !== undefined && ekName !== undefined) {
    process.stderr.write(
      'sallyport device token: the TPM that --ek-name names enrols without a token: leave out --out.\n',
    );
    return EXIT.usage;
  }
  if (out !== undefined) requirePlaceFor(out);
  const life = Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
  const body = { name, owner, connector, model, approved, life, ekName };
  const answer = await askGateway({
    command: 'token',
    config,
    method: 'POST',
    path: '/v1/device-tokens',
    body,
  });
  if (typeof answer === 'number') return answer;
  const { token, ...rest } = answer;
  if (out !== undefined) writeWhole(out, `${String(token)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(out === undefined ? answer : { ...rest, out })}\n`);
  else if (ekName !== undefined) process.stdout.write(`${name} may enrol without a token.\n`);
  else if (out === undefined) process.stdout.write(`${String(token)}\n`);
  return EXIT.ok;
}
