// `sallyport drill`: rehearses a fault on a running gateway and reports what it did.
import { userInfo } from 'node:os';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport drill state --config FILE [--seconds 15] [--json]

Rehearses a fault on the running gateway: it begins at once, ends by itself, and nothing that is kept is touched. The
gateway must be well to begin with. An event \`drill-started\` says who did it.

Faults:
  state  The state does not answer: nobody signs in, enrols or is revoked at this gateway (503); who is in the middle
         of something works on while the lease lasts, 25 s at most, and is then refused

Options:
  --config FILE  The gateway's configuration
  --seconds N    How long it lasts, 6 to 60 (default 15)
  --json         Print the report as JSON

Exit codes: 0 the gateway said that it was not well, and is ready again; 1 it did not, or this is no time for a drill;
2 wrong usage.

Example: sallyport drill state --config gateway.yaml --seconds 30
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('drill', argv, {
    config: { type: 'string' },
    seconds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, seconds: text, json } = parsed.values;
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  const [fault, ...more] = parsed.positionals;
  if (file === undefined || fault !== 'state' || more.length > 0 || !(seconds >= 6 && seconds <= 60)) {
    process.stderr.write('sallyport drill: use `sallyport drill state --config FILE [--seconds 6..60]`.\n');
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    const by = userInfo().username;
    const { status, body } = await callAdmin(config, 'POST', '/v1/drills', { fault, seconds, by });
    if (status !== 200) throw new AdminError(String(body['message']));
    const { allowed, denied, failed, ailments, readyAfterMs } = body;
    const said = (ailments as readonly string[]).join('; ');
    process.stdout.write(
      json
        ? `${JSON.stringify(body)}\n`
        : `for ${seconds} s the ${fault} did not answer: ${allowed} allowed on leases, ${denied} denied, ${failed} could not be decided\n` +
            `the gateway said: ${said === '' ? 'nothing' : said}\n` +
            `${readyAfterMs === undefined ? 'it is not ready again' : `ready again after ${readyAfterMs} ms`}\n`,
    );
    return said !== '' && readyAfterMs !== undefined ? EXIT.ok : EXIT.no;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport drill: ${error.message}\n`);
    return EXIT.no;
  }
}
