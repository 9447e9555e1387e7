// `sallyport device attest`: proves once how this machine booted.
import { attestDevice } from '#connectors/device/ceremony';
import { EVENT_LOG } from '#connectors/device/event-log';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { explain, ownToken, resultText, thisMachine } from './machine.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device attest', argv, {
    'event-log': { type: 'string', default: EVENT_LOG },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  try {
    const { device, agent } = thisMachine();
    const token = ownToken(device.portal);
    const result = await attestDevice({
      ...{ device, agent, now: Date.now },
      eventLog: parsed.values['event-log'],
      ...(token === undefined ? {} : { token }),
    });
    process.stdout.write(
      parsed.values.json ? `${JSON.stringify(result)}\n` : `${device.name}: ${resultText(result)}`,
    );
    return result.status === 'contraindicated' || result.status === 'none' ? EXIT.no : EXIT.ok;
  } catch (error) {
    return explain('attest', error);
  }
}
