// `sallyport device list`: the devices and how they are.
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { askGateway, table } from './admin.ts';

interface Listed {
  readonly name: string;
  readonly state: string;
  readonly model: string;
  readonly owner?: string;
  readonly connector?: string;
  readonly posture?: {
    readonly status: string;
    readonly expiresAt: number;
    readonly reasons: readonly { readonly code: string }[];
  };
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device list', argv, {
    config: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config, json } = parsed.values;
  const answer = await askGateway({ command: 'list', config, method: 'GET', path: '/v1/devices' });
  if (typeof answer === 'number') return answer;
  const devices = answer['devices'] as readonly Listed[];
  if (json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  else if (devices.length === 0)
    process.stdout.write('No device is enrolled. sallyport device token begins it.\n');
  else {
    const rows = devices.map(({ name, state, model, owner = '', connector, posture }) => [
      name,
      state,
      model,
      connector === undefined ? owner : `connector ${connector}`,
      postureText(posture),
    ]);
    process.stdout.write(table([['NAME', 'STATE', 'MODEL', 'OF', 'POSTURE'], ...rows]));
  }
  return EXIT.ok;
}

function postureText(posture: Listed['posture']): string {
  if (posture === undefined) return 'never attested';
  if (posture.expiresAt <= Date.now()) return `silent since ${new Date(posture.expiresAt).toISOString()}`;
  return [posture.status, ...posture.reasons.map(({ code }) => code)].join(' ');
}
