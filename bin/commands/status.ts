// `sallyport status`: what a running gateway has in force.
import type { Measured } from '#gateway/release/measure';
import { describe } from '#gateway/release/open';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport status --config FILE [--json]

Says what the running gateway has in force: hashes of its policy, configuration and code, the signed change, whether its
code is that of its release, its connectors, and how many requests and streams are open.

Options:
  --config FILE  The gateway's configuration
  --json         Print it as one line of JSON

Exit codes: 0 it runs, 1 no gateway is running or it does not answer you, 2 wrong usage.

Example: sallyport status --config gateway.yaml
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('status', argv, {
    config: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, json } = parsed.values;
  if (file === undefined || parsed.positionals.length > 0) {
    process.stderr.write('sallyport status: use `sallyport status --config FILE`.\n');
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    const { status, body } = await callAdmin(config, 'GET', '/v1/status');
    if (status !== 200) throw new AdminError(String(body['message']));
    process.stdout.write(json ? `${JSON.stringify(body)}\n` : asText(body));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport status: ${error.message}\n`);
    return EXIT.no;
  }
}

function asText(body: Record<string, unknown>): string {
  const release = body['release'] as Measured | undefined;
  const connectors = body['connectors'] as readonly { readonly connector: string }[];
  const names = [...new Set(connectors.map(({ connector }) => connector))].join(', ');
  const rows: readonly (readonly [string, unknown])[] = [
    ['policy', body['policy']],
    ['configuration', body['configHash']],
    ['code', body['codeHash']],
    ['change', body['change'] ?? 'none: nothing needs to be signed'],
    ['release', release === undefined ? 'none: nobody signs releases' : describe(release)],
    ['connectors', names === '' ? 'none' : names],
    ['open', body['openExchanges']],
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)} ${value}\n`).join('');
}
