// `sallyport revoke`: takes access away, on all gateways that share their state.
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { operatorName } from '../operator.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

const KINDS: readonly string[] = ['session', 'person', 'device', 'service', 'connector'];

export const help: string = `Usage: sallyport revoke KIND ID --config FILE [--reason TEXT] [--json]

Takes access away at once: requests are refused from now on, and what is open is closed, on every gateway within 2 s.
A gateway that is cut off from the others refuses by itself within 30 s.

KIND and ID:
  session ID     One sign-in, by the id that \`sallyport sessions\` and events show
  person WHO     All sessions a person has now, by verified address or by id (<issuer>#<sub>);
                 they may sign in again if their provider lets them
  device WHICH   Everything that is asked for from one device, by its name or id; for good
  service ID     Everything that one service asks for, by the id that events show
  connector NAME All certificates, tunnels and unused tokens of a connector; a new token admits it again

Options:
  --config FILE  The gateway's configuration
  --reason TEXT  Kept in the event
  --json         Print {"sessions", "streams", "tunnels"}: what ended, streams and tunnels at this gateway only

Exit codes: 0 revoked for good, 1 there is none, or it could not be made sure of, 2 wrong usage.

Example: sallyport revoke person ada@example.com --config gateway.yaml --reason 'laptop lost'
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('revoke', argv, {
    config: { type: 'string' },
    reason: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, reason, json } = parsed.values;
  const [kind = '', id = '', ...more] = parsed.positionals;
  if (file === undefined || !KINDS.includes(kind) || id === '' || more.length > 0) {
    process.stderr.write(
      `sallyport revoke: use \`sallyport revoke KIND ID --config FILE\`, where KIND is ${KINDS.join(', ')}.\n`,
    );
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    const by = operatorName();
    const wish = { kind, id, by, ...(reason === undefined ? {} : { reason }) };
    const { status, body } = await callAdmin(config, 'POST', '/v1/revocations', wish);
    if (status !== 200) throw new AdminError(String(body['message']));
    const { sessions, streams, tunnels } = body;
    process.stdout.write(
      json
        ? `${JSON.stringify(body)}\n`
        : `revoked: ${sessions} sessions ended; closed here: ${streams} streams, ${tunnels} tunnels\n`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport revoke: ${error.message}\n`);
    return EXIT.no;
  }
}
