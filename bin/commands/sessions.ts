// `sallyport sessions`: who is signed in, on all gateways that share their state.
import { harmless } from '#siem/ecs/document';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport sessions --config FILE [--person WHO] [--json]

Lists the live sessions, newest last. Needs a running gateway, and the user it runs as.

Options:
  --config FILE  The gateway's configuration
  --person WHO   Only those of one person, by verified address or by id (<issuer>#<sub>)
  --json         One JSON object a line; times are epoch milliseconds

Exit codes: 0 listed, 1 no gateway is running or its state cannot be reached, 2 wrong usage.

Example: sallyport sessions --config gateway.yaml --person ada@example.com
`;

interface Shown {
  readonly id: string;
  readonly person: string;
  readonly name?: string;
  readonly email?: string;
  readonly provider: string;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly clientAddress: string;
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('sessions', argv, {
    config: { type: 'string' },
    person: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, person, json } = parsed.values;
  if (file === undefined || parsed.positionals.length > 0) {
    process.stderr.write('sallyport sessions: use `sallyport sessions --config FILE [--person WHO]`.\n');
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  const query = person === undefined ? '' : `?${new URLSearchParams({ person })}`;
  try {
    const { status, body } = await callAdmin(config, 'GET', `/v1/sessions${query}`);
    if (status !== 200) throw new AdminError(String(body['message']));
    const sessions = (body['sessions'] as readonly Shown[]).toSorted((a, b) => a.createdAt - b.createdAt);
    const line = json ? (session: Shown): string => JSON.stringify(session) : asText;
    process.stdout.write(sessions.map((session) => `${line(session)}\n`).join(''));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport sessions: ${error.message}\n`);
    return EXIT.no;
  }
}

function asText({ id, person, email, provider, createdAt, lastSeenAt, clientAddress }: Shown): string {
  const at = (time: number): string => new Date(time).toISOString().slice(0, 19);
  // A provider may let people choose what it calls them: that is not to reach a terminal as orders.
  const who = harmless(email ?? person, '\ufffd');
  return `${id}  ${who}  ${provider}  since ${at(createdAt)}Z  seen ${at(lastSeenAt)}Z  from ${clientAddress}`;
}
