// `sallyport device agent`: keeps this machine's proof fresh until it is stopped.
import { type RunningAgent, startAgent } from '#connectors/device/agent';
import { EVENT_LOG } from '#connectors/device/event-log';
import type { AttestationReply } from '#connectors/wire/evidence';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { explain, ownToken, resultText, thisMachine } from './machine.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device agent', argv, {
    port: { type: 'string', default: '0' },
    'event-log': { type: 'string', default: EVENT_LOG },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { port, 'event-log': eventLog, json } = parsed.values;
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) {
    process.stderr.write('sallyport device agent: --port takes a port number, or 0 for a free one.\n');
    return EXIT.usage;
  }
  try {
    const { device, agent } = thisMachine();
    let last = '';
    const onResult = (result: AttestationReply): void => {
      if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
      // Once for each news, not for each renewal.
      else if (news(result) !== last) process.stdout.write(`${device.name}: ${resultText(result)}`);
      last = news(result);
    };
    const onFailure = (error: Error): void => {
      last = '';
      process.stderr.write(`sallyport device agent: ${error.message}\n`);
    };
    const options = { device, agent, eventLog, now: Date.now, random: Math.random, onResult, onFailure };
    const running = await startAgent({ ...options, token: () => ownToken(device.portal) }, Number(port));
    const stopped = untilStopped(running);
    process.stdout.write(
      json
        ? `${JSON.stringify({ device: device.device, port: running.port })}\n`
        : `Keeping ${device.name} attested at ${device.portal}; browsers are answered on port ${running.port}.\n`,
    );
    return await stopped;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      process.stderr.write(`sallyport device agent: port ${port} is taken: is an agent running already?\n`);
      return EXIT.no;
    }
    return explain('agent', error);
  }
}

function news({ status, reasons, bound }: AttestationReply): string {
  return [status, bound, ...reasons.map(({ code }) => code)].join();
}

function untilStopped(running: RunningAgent): Promise<number> {
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => running.close().then(() => resolve(EXIT.ok), reject));
    }
  });
}
