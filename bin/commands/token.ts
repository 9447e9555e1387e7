// `sallyport token create`: an enrolment token for one connector, from the running gateway.
import { requirePlaceFor, writeWhole } from '#gateway/state/private-files';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { operatorName } from '../operator.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';
import { durationOf } from './ca/life.ts';

const CREATE_HELP = `Usage: sallyport token create --config FILE --connector NAME [--life 15m] [--out FILE] [--json]

Makes a single-use token with which the connector NAME can enrol at the running gateway.

Options:
  --config FILE     The gateway's configuration
  --connector NAME  The connector's name, as an app's \`connectors:\` lists it
  --life DURATION   How long the token can be used: 90s, 15m, up to 24h (default 15m)
  --out FILE        Write the token to FILE, mode 0600, instead of printing it
  --json            Print {"token", "name", "expiresAt"} (expiresAt: epoch milliseconds)

Exit codes: 0 made, 1 refused or no gateway is running, 2 wrong usage.

Example: sallyport token create --config gateway.yaml --connector berlin-1 --out enrol.token
`;

export const help: string = `Usage: sallyport token create --config FILE --connector NAME [options]

Makes enrolment tokens for connectors.

${CREATE_HELP.slice(CREATE_HELP.indexOf('Options:'))}`;

export const subcommands: Readonly<Record<string, string>> = { create: CREATE_HELP };

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('token', argv, {
    config: { type: 'string' },
    connector: { type: 'string' },
    life: { type: 'string', default: '15m' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, connector, life: lifeText, out, json } = parsed.values;
  if (parsed.positionals.join(' ') !== 'create' || file === undefined || connector === undefined) {
    process.stderr.write('sallyport token: use `sallyport token create --config FILE --connector NAME`.\n');
    return EXIT.usage;
  }
  const life = durationOf(lifeText);
  if (life === undefined) {
    process.stderr.write(
      `sallyport token: --life ${JSON.stringify(lifeText)} is not a duration; use 90s, 15m or 2h, at most 24h.\n`,
    );
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  if (out !== undefined) requirePlaceFor(out);
  try {
    const by = operatorName();
    const { status, body } = await callAdmin(config, 'POST', '/v1/enrolment-tokens', {
      name: connector,
      life,
      by,
    });
    if (status !== 201) {
      process.stderr.write(`sallyport token: ${String(body['message'])}\n`);
      return EXIT.no;
    }
    const token = String(body['token']);
    if (out !== undefined) writeWhole(out, `${token}\n`);
    if (json)
      process.stdout.write(
        `${JSON.stringify(out === undefined ? body : { ...body, token: undefined, out })}\n`,
      );
    else if (out === undefined) process.stdout.write(`${token}\n`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport token: ${error.message}\n`);
    return EXIT.no;
  }
}
