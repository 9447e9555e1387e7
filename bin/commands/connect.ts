// `sallyport connect`: a port on this computer that leads to a TCP app behind the gateway.
import { connectTo } from '#connectors/device/connect';
import { forward } from '#connectors/device/forward';
import { describeError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { explainRefusal, readSignedIn, signedIn } from '../signed-in.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport connect APP [--listen ADDRESS:PORT] [--json]

Listens on this computer and leads every connection to the TCP app APP. Each connection is decided by itself when
it opens, and closed when it is no longer allowed.

Options:
  --listen ADDRESS:PORT  A loopback address and port (default 127.0.0.1:0, a free port)
  --json                 Print {"app", "address", "port"} when listening

Exit codes: 0 stopped as told, 1 not signed in or could not listen, 2 wrong usage.

Example: sallyport connect postgres.prod --listen 127.0.0.1:5432
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('connect', argv, {
    listen: { type: 'string', default: '127.0.0.1:0' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [app, ...more] = parsed.positionals;
  const listen = loopback(parsed.values.listen);
  if (app === undefined || more.length > 0) {
    process.stderr.write('sallyport connect: name one app: sallyport connect APP.\n');
    return EXIT.usage;
  }
  if (listen === undefined) {
    process.stderr.write(
      'sallyport connect: --listen takes a loopback address and a port, like 127.0.0.1:5432.\n',
    );
    return EXIT.usage;
  }
  if (signedIn('connect') === undefined) return EXIT.no;
  try {
    const connect = async () => {
      // As it is now: whoever has signed in again since goes on with that.
      const { credentials, agent, device } = readSignedIn();
      return connectTo(app, credentials, agent, device);
    };
    const onRefused = (error: Error): void => void explainRefusal('connect', error);
    const { address, close } = await forward({ ...listen, connect, onRefused });
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    });
    const at = { app, address: address.address, port: address.port };
    const host = address.family === 'IPv6' ? `[${at.address}]` : at.address;
    process.stdout.write(
      parsed.values.json ? `${JSON.stringify(at)}\n` : `${app} is at ${host}:${at.port}. Ctrl-C ends it.\n`,
    );
    await stopped;
    close();
    return EXIT.ok;
  } catch (error) {
    process.stderr.write(`sallyport connect: ${describeError(error)}\n`);
    return EXIT.no;
  }
}

function loopback(text: string): { host: string; port: number } | undefined {
  const match = /^(127(?:\.[0-9]{1,3}){3}|\[::1\]):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  return match?.[1] === undefined || port > 65_535
    ? undefined
    : { host: match[1].replace(/^\[|\]$/g, ''), port };
}
