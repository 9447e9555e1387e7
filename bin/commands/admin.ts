// `sallyport admin`: which role may ask a gateway for what, and opening an account for emergencies.
import { ROLES, ROUTES } from '#gateway/console/roles';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

const ROLES_HELP = `Usage: sallyport admin roles [--json]

Prints every address of the admin API and the roles that may use it. Without \`admin\` in its configuration a gateway
answers whoever may open its socket; an open break-glass account may use every address.

Options:
  --json  Print {address: [roles]}

Exit codes: 0 printed, 2 wrong usage.

Example: sallyport admin roles
`;

const BREAK_GLASS_HELP = `Usage: sallyport admin break-glass --config FILE --reason TEXT [--json]

Opens an account for emergencies, whose key is in SALLYPORT_ADMIN_KEY. That is an alert of the highest severity, and so
is whatever is done until the account closes by itself. It opens only once: after that its key must be replaced.

Options:
  --config FILE  The gateway's configuration
  --reason TEXT  Kept in the event
  --json         Print {"account", "until"}

Exit codes: 0 open, 1 refused or no gateway is running, 2 wrong usage.

Example: sallyport admin break-glass --config gateway.yaml --reason 'nobody with a role can be reached'
`;

export const subcommands: Readonly<Record<string, string>> = {
  roles: ROLES_HELP,
  'break-glass': BREAK_GLASS_HELP,
};

export const help: string = `Usage: sallyport admin <subcommand> [options]

  roles        Which role may ask a gateway for what
  break-glass  Open an account for emergencies

Where a gateway's configuration has \`admin\`, requests are signed with the SSH key that the variable SALLYPORT_ADMIN_KEY
names: by commands that talk to a running gateway, with \`ssh-keygen\`.

Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage.

Example: sallyport admin roles
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('admin', argv, {
    config: { type: 'string' },
    reason: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, reason, json } = parsed.values;
  const [what = '', ...more] = parsed.positionals;
  const opens = what === 'break-glass' && file !== undefined && reason !== undefined;
  if (more.length > 0 || (what !== 'roles' && !opens)) {
    process.stderr.write(
      'sallyport admin: use `sallyport admin roles` or `sallyport admin break-glass --config FILE --reason TEXT`.\nTry: sallyport admin --help\n',
    );
    return EXIT.usage;
  }
  if (!opens) {
    process.stdout.write(json ? `${JSON.stringify(ROUTES)}\n` : table());
    return EXIT.ok;
  }
  return open(file, reason, json);
}

async function open(file: string, reason: string, json: boolean): Promise<number> {
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    const { status, body } = await callAdmin(config, 'POST', '/v1/break-glass', { reason });
    if (status !== 200) throw new AdminError(String(body['message']));
    const until = new Date(Number(body['until'])).toISOString();
    process.stdout.write(json ? `${JSON.stringify(body)}\n` : `${body['account']} is open until ${until}\n`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport admin: ${error.message}\n`);
    return EXIT.no;
  }
}

/** Addresses down, roles across. */
function table(): string {
  const routes = Object.entries(ROUTES);
  const width = Math.max(...routes.map(([route]) => route.length));
  const head = `${''.padEnd(width)}  ${ROLES.join('  ')}\n`;
  const rows = routes.map(([route, roles]) => {
    const marks = ROLES.map((role) => (roles.includes(role) ? 'x' : '-').padEnd(role.length));
    return `${route.padEnd(width)}  ${marks.join('  ').trimEnd()}\n`;
  });
  return [head, ...rows].join('');
}
