// The table of commands: the one place that names them; it must never import a command before it is asked for.

/** What a file in bin/commands/ exports. */
export interface CommandModule {
  /** Full text for `sallyport <name> --help`: usage, options, exit codes, one example. Ends in a newline. */
  readonly help: string;
  /** Full help of each subcommand, for `sallyport <name> <subcommand> --help`. */
  readonly subcommands?: Readonly<Record<string, string>>;
  /** Runs with the arguments after the name; answers the exit code (see exit.ts). */
  run(argv: readonly string[]): Promise<number>;
}

export interface Command {
  readonly name: string;
  /** One line for the overview, without a full stop. */
  readonly summary: string;
  /** Its words behind the first are for another program, whose `-h` they may hold. */
  readonly handsOn?: true;
  load(): Promise<CommandModule>;
}

/** In the order in which people meet them. */
export const commands: readonly Command[] = [
  {
    name: 'demo',
    summary: 'Run a whole installation on this machine and show it working',
    load: () => import('./commands/demo.ts'),
  },
  {
    name: 'login',
    summary: 'Let this command line act for you, approved in your browser',
    load: () => import('./commands/login.ts'),
  },
  {
    name: 'connect',
    summary: 'Open a local port that leads to a TCP app',
    load: () => import('./commands/connect.ts'),
  },
  {
    name: 'proxy-command',
    summary: 'Be the connection to a TCP app, for OpenSSH',
    load: () => import('./commands/proxy-command.ts'),
  },
  {
    name: 'ssh',
    summary: 'Run ssh to a TCP app, with a certificate where it takes one',
    handsOn: true,
    load: () => import('./commands/ssh.ts'),
  },
  {
    name: 'ssh-cert',
    summary: 'Get a certificate by which sshd behind an app lets you in',
    load: () => import('./commands/ssh-cert.ts'),
  },
  {
    name: 'ssh-config',
    summary: 'Print the lines by which OpenSSH goes through the gateway',
    load: () => import('./commands/ssh-config.ts'),
  },
  {
    name: 'device',
    summary: 'Prove with a TPM which machine this is, and look after devices',
    load: () => import('./commands/device.ts'),
  },
  {
    name: 'gateway',
    summary: 'Run a gateway: listeners for people, for connectors, for health',
    load: () => import('./commands/gateway.ts'),
  },
  {
    name: 'connector',
    summary: 'Run a connector beside the apps: it dials out to a gateway',
    load: () => import('./commands/connector.ts'),
  },
  {
    name: 'token',
    summary: 'Make a single-use token with which a connector enrols',
    load: () => import('./commands/token.ts'),
  },
  {
    name: 'service',
    summary: 'Get and renew the certificate with which a program asks for apps',
    load: () => import('./commands/service.ts'),
  },
  {
    name: 'ca',
    summary: 'Look after the authorities that vouch for connectors, services and SSH',
    load: () => import('./commands/ca.ts'),
  },
  {
    name: 'verify-assertion',
    summary: 'Check what a gateway says of who asks, as a back end must',
    load: () => import('./commands/verify-assertion.ts'),
  },
  {
    name: 'sessions',
    summary: 'List who is signed in',
    load: () => import('./commands/sessions.ts'),
  },
  {
    name: 'revoke',
    summary: 'Take access away: from a session, person, device, service or connector',
    load: () => import('./commands/revoke.ts'),
  },
  {
    name: 'drill',
    summary: 'Rehearse a fault on a running gateway, and report',
    load: () => import('./commands/drill.ts'),
  },
  {
    name: 'state',
    summary: 'Back the state up, restore it, or move it to Redis',
    load: () => import('./commands/state.ts'),
  },
  {
    name: 'siem',
    summary: 'Look after the sinks to which events are shipped',
    load: () => import('./commands/siem.ts'),
  },
  {
    name: 'audit',
    summary: 'Check the transparency logs, and prove that an event is in them',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'why',
    summary: 'Explain one decision from its reference id, in full',
    load: () => import('./commands/why.ts'),
  },
  {
    name: 'policy',
    summary: 'Check, test, explain, compare and replay policy documents',
    load: () => import('./commands/policy.ts'),
  },
  {
    name: 'status',
    summary: 'What a running gateway has in force',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'admin',
    summary: 'Who may ask a gateway for what, and the accounts for emergencies',
    load: () => import('./commands/admin.ts'),
  },
  {
    name: 'change',
    summary: 'Propose, sign, check and apply changes of policy and configuration',
    load: () => import('./commands/change.ts'),
  },
  {
    name: 'release',
    summary: 'Compare the program files with the signed manifest of their release',
    load: () => import('./commands/release.ts'),
  },
  {
    name: 'schema',
    summary: 'Print the JSON Schema of a document, for editors',
    load: () => import('./commands/schema.ts'),
  },
];
