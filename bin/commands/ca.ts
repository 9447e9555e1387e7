// `sallyport ca`: looks after the authorities, of a running gateway or of a root that is kept offline.
import { existsSync, readFileSync } from 'node:fs';
import type { GatewayConfig } from '#gateway/config';
import { adminSocket } from '#gateway/console/socket';
import { AuthorityError } from '#gateway/pki/ca-certificate';
import { IssueError } from '#gateway/pki/issued';
import { SignerError } from '#gateway/pki/signer/signer';
import { LooseModeError, requirePlaceFor, writeWhole } from '#gateway/state/private-files';
import { describeError } from '#siem/system-error';
import { AdminError, type AdminReply, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';
import { help, subcommands } from './ca/help.ts';
import { durationOf } from './ca/life.ts';
import { importHere, initRoot, requestHere, signRequest } from './ca/offline.ts';
import { certificatesText, reportText, rotatedText } from './ca/report.ts';
import { SSH_WORK } from './ca/ssh.ts';
import { UsageError } from './ca/usage.ts';

export { help, subcommands };

const OPTIONS = {
  config: { type: 'string' },
  authority: { type: 'string', default: 'connector-ca' },
  json: { type: 'boolean', default: false },
  out: { type: 'string' },
  dir: { type: 'string' },
  name: { type: 'string', default: 'Sallyport connectors' },
  'passphrase-file': { type: 'string' },
  csr: { type: 'string' },
  certificate: { type: 'string' },
  root: { type: 'string' },
  'trust-domain': { type: 'string' },
  host: { type: 'string', multiple: true },
  service: { type: 'string' },
  life: { type: 'string', default: '15m' },
  serial: { type: 'string' },
  reason: { type: 'string' },
  after: { type: 'string', default: '24h' },
  compromised: { type: 'boolean', default: false },
  gateway: { type: 'string' },
} as const;

type Values = NonNullable<ReturnType<typeof readOptions<typeof OPTIONS>>>['values'];

type Work = (values: Values) => Promise<void> | void;

const WORK: Readonly<Record<string, Work>> = {
  init: async ({ dir, name, 'passphrase-file': passphrase }) => {
    await initRoot(needed(dir, '--dir'), name, passphrase);
    say(`the root is in ${dir}: keep root.key and what opens it offline, give ca.pem to everybody\n`);
  },
  show: async (values) => {
    const { body } = await ask(values, 'GET', '/v1/authorities');
    say(values.json ? `${JSON.stringify(body)}\n` : reportText(body));
  },
  list: async (values) => {
    const { body } = await ask(values, 'GET', '/v1/certificates');
    say(values.json ? `${JSON.stringify(body)}\n` : certificatesText(body));
  },
  rotate: async (values) => {
    const { body } = await ask(values, 'POST', `/v1/authorities/${values.authority}/rotate`);
    say(rotatedText(values.authority, body));
  },
  'intermediate csr': async (values) => {
    const out = needed(values.out, '--out');
    const config = configOf(values);
    const request = existsSync(adminSocket(config))
      ? String((await ask(values, 'POST', `/v1/authorities/${values.authority}/request`)).body['request'])
      : await requestHere(config, values.authority);
    writeWhole(out, request, 0o644);
    say(`${out}: have the offline root sign it with sallyport ca intermediate sign\n`);
  },
  'intermediate sign': async (values) => {
    const { dir, csr, out, host, 'trust-domain': trustDomain, 'passphrase-file': passphrase } = values;
    const constraints = { trustDomain: needed(trustDomain, '--trust-domain'), hosts: host ?? [] };
    const request = readFileSync(needed(csr, '--csr'), 'utf8');
    const certificate = await signRequest(needed(dir, '--dir'), request, constraints, passphrase);
    writeWhole(needed(out, '--out'), certificate, 0o644);
    say(`${out}: bring it back with sallyport ca intermediate import\n`);
  },
  'intermediate import': async (values) => {
    const certificate = readFileSync(needed(values.certificate, '--certificate'), 'utf8');
    const config = configOf(values);
    if (existsSync(adminSocket(config))) {
      await ask(values, 'POST', `/v1/authorities/${values.authority}/import`, { certificate });
    } else {
      const root = values.root === undefined ? undefined : readFileSync(values.root, 'utf8');
      importHere(config, values.authority, certificate, root);
    }
    say(`${values.authority} issues with the intermediate in ${values.certificate}\n`);
  },
  'issue-service': async (values) => {
    const { service, life: text, out, json } = values;
    const life = durationOf(text);
    if (life === undefined) {
      throw new UsageError(
        `--life ${JSON.stringify(text)} is not a duration; use 90s, 15m or 2h, at most 24h`,
      );
    }
    if (out !== undefined) requirePlaceFor(out);
    const wish = { kind: 'service', name: needed(service, '--service'), life };
    const { body } = await ask(values, 'POST', '/v1/enrolment-tokens', wish);
    const token = String(body['token']);
    if (out !== undefined) writeWhole(out, `${token}\n`);
    if (json) say(`${JSON.stringify(out === undefined ? body : { ...body, token: undefined, out })}\n`);
    else if (out === undefined) say(`${token}\n`);
  },
  revoke: async (values) => {
    const { serial, reason } = values;
    const wish = { serial: needed(serial, '--serial'), ...(reason === undefined ? {} : { reason }) };
    const { body } = await ask(values, 'POST', '/v1/certificate-revocations', wish);
    say(`revoked: the certificate ${serial} of ${String(body['holder'])}\n`);
  },
  crl: async (values) => {
    const { body } = await ask(values, 'POST', `/v1/authorities/${values.authority}/crl`);
    put(values.out, String(body['lists']));
  },
  export: async (values) => {
    const { body } = await ask(values, 'GET', '/v1/authorities');
    const all = (body['authorities'] ?? []) as { id: string; certificate: string; intermediates: string[] }[];
    const meant = all.filter(({ id }) => id === values.authority);
    const [one] = meant;
    if (one === undefined) throw new AdminError(`there is no authority ${values.authority}`);
    put(values.out, one.certificate + meant.flatMap(({ intermediates }) => intermediates).join(''));
  },
  ...Object.fromEntries(
    Object.entries(SSH_WORK).map(([name, work]): [string, Work] => [
      name,
      async (values) => say(await work(values, (method, path, body) => ask(values, method, path, body))),
    ]),
  ),
};

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('ca', argv, OPTIONS);
  if (parsed === undefined) return EXIT.usage;
  const work = WORK[parsed.positionals.join(' ')];
  if (work === undefined) {
    process.stderr.write(
      `sallyport ca: use one of: ${Object.keys(WORK).join(', ')}.\nTry: sallyport ca --help\n`,
    );
    return EXIT.usage;
  }
  try {
    await work(parsed.values);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UsageError) {
      if (error.message !== '') process.stderr.write(`sallyport ca: ${error.message}.\n`);
      return EXIT.usage;
    }
    const known = [AdminError, AuthorityError, SignerError, IssueError, LooseModeError].some(
      (kind) => error instanceof kind,
    );
    if (!known && typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    process.stderr.write(`sallyport ca: ${describeError(error)}\n`);
    return EXIT.no;
  }
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new UsageError(`${option} is missing`);
  return value;
}

function configOf({ config }: Values): GatewayConfig {
  const read = readGatewayConfig(needed(config, '--config'));
  // What is wrong with it was said.
  if (read === undefined) throw new UsageError('');
  return read;
}

/** Rejects with AdminError unless the gateway did what it was asked. */
async function ask(values: Values, method: string, path: string, body?: unknown): Promise<AdminReply> {
  const reply = await callAdmin(configOf(values), method, path, body);
  if (reply.status < 300) return reply;
  throw new AdminError(String(reply.body['message'] ?? reply.body['error']));
}

function say(text: string): void {
  process.stdout.write(text);
}

function put(out: string | undefined, text: string): void {
  if (out === undefined) say(text);
  else writeWhole(out, text, 0o644);
}
