// `sallyport device approve`, `revoke` and `forget`: one change to one device.
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { askGateway } from './admin.ts';

export function changing(
  verb: 'approve' | 'revoke' | 'forget',
  done: string,
): { run(argv: readonly string[]): Promise<number> } {
  return {
    async run(argv) {
      const parsed = readOptions(`device ${verb}`, argv, {
        config: { type: 'string' },
        json: { type: 'boolean', default: false },
      });
      if (parsed === undefined) return EXIT.usage;
      const [device, ...more] = parsed.positionals;
      if (device === undefined || more.length > 0) {
        process.stderr.write(
          `sallyport device ${verb}: name one device; sallyport device list shows them.\n`,
        );
        return EXIT.usage;
      }
      const path = `/v1/devices/${encodeURIComponent(device)}/${verb}`;
      const { config, json } = parsed.values;
      const answer = await askGateway({ command: verb, config, method: 'POST', path });
      if (typeof answer === 'number') return answer;
      process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${String(answer['name'])} is ${done}.\n`);
      return EXIT.ok;
    },
  };
}
