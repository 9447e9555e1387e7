// `sallyport audit`: checks the transparency logs, proves single events, checks proofs. Reads the state, never changes it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationHash } from '#gateway/fingerprints';
import { recordDirectories } from '#gateway/workers/share';
import { loadPolicy } from '#policy/load';
import type { Finding } from '#siem/ledger/audit/finding';
import { type Audit, auditState, type Logged, readLogged } from '#siem/ledger/audit/verify';
import { LedgerError } from '#siem/ledger/error';
import { readVerifier } from '#siem/ledger/key';
import { LOGS } from '#siem/ledger/kinds';
import { NoteError, type NoteVerifier, parseVerifier } from '#siem/ledger/note';
import { proveRecord } from '#siem/ledger/prove';
import { checkProof, formatProof, packProof, parseProof, unpackProof } from '#siem/ledger/tlog-proof';
import { uuid7Time } from '#siem/uuid7';
import { AdminError, callAdmin } from '../admin-client.ts';
import { HELP, SUBCOMMANDS } from '../audit-help.ts';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';
import { whyAbsent } from '../why-absent.ts';

export const help: string = HELP;
export const subcommands: Readonly<Record<string, string>> = SUBCOMMANDS;

interface Options {
  readonly state?: string | undefined;
  readonly config?: string | undefined;
  readonly since?: readonly string[] | undefined;
  readonly key?: readonly string[] | undefined;
  readonly out?: string | undefined;
  readonly event?: string | undefined;
  readonly json: boolean;
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('audit', argv, {
    state: { type: 'string' },
    config: { type: 'string' },
    since: { type: 'string', multiple: true },
    key: { type: 'string', multiple: true },
    out: { type: 'string' },
    event: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { values, positionals } = parsed;
  const [what = '', name, ...more] = positionals;
  if (!Object.hasOwn(subcommands, what) || more.length > 0) {
    return usage(`what shall be done? One of: ${Object.keys(subcommands).join(', ')}.`);
  }
  try {
    if (what === 'verify-proof') return verifyProof(name, values);
    const state = stateOf(values);
    if (typeof state !== 'string') return state;
    if (what === 'prove') return await prove(state, name, values);
    if (name !== undefined) return usage(`${what} takes no argument: ${JSON.stringify(name)}`);
    return what === 'key' ? printKeys(state, values.json) : await verify(state, values);
  } catch (error) {
    if (!(error instanceof NoteError || error instanceof LedgerError)) throw error;
    process.stderr.write(`sallyport audit: ${error.message}\n`);
    return EXIT.no;
  }
}

/** The state directory, or the exit code after it was said what is wrong. */
function stateOf({ state, config }: Options): string | number {
  if (state === undefined && config === undefined) return usage('give --config FILE or --state DIR.');
  const found = state ?? (config === undefined ? undefined : readGatewayConfig(config)?.state);
  if (found === undefined) return EXIT.usage;
  if (existsSync(join(found, 'ledger'))) return found;
  const [first, ...more] = recordDirectories(found);
  if (first !== undefined)
    return usage(`each worker has logs of its own: give --state ${[first, ...more].join(', or ')}`);
  return usage(whyAbsent(join(found, 'ledger'), 'is this the state of a gateway that has run?'));
}

async function verify(state: string, options: Options): Promise<number> {
  const { since = [], key: keys = [], config, json } = options;
  const audit = await auditState(state, { since, keys: [...keys] });
  const size = audit.logs.find(({ log }) => log === 'changes')?.size ?? 0;
  const inForce =
    audit.found === 0 ? await compareInForce(state, config, readLogged(state, size)) : undefined;
  const findings = [...audit.findings, ...(inForce?.findings ?? [])];
  const ok = findings.length === 0;
  if (json) {
    const found = audit.found + (inForce?.findings.length ?? 0);
    process.stdout.write(
      `${JSON.stringify({ ok, logs: audit.logs, compared: inForce?.compared ?? [], found, findings })}\n`,
    );
  } else {
    process.stdout.write(verifyText(audit, inForce?.compared ?? [], findings));
  }
  return ok ? EXIT.ok : EXIT.no;
}

function verifyText(audit: Audit, compared: readonly string[], findings: readonly Finding[]): string {
  const logs = audit.logs.map(
    ({ log, size, root, records, pending }) =>
      `${log.padEnd(10)} ${size} leaves, root ${root.slice(0, 16)}…, ${records} records compared` +
      `${pending > 0 ? `, ${pending} wait for the next checkpoint` : ''}\n`,
  );
  const wrong = findings.map(
    ({ file, position, problem }) =>
      `WRONG      ${file}${position === undefined ? '' : `, byte ${position}`}: ${problem}\n`,
  );
  const more = audit.found - audit.findings.length;
  const rest = more > 0 ? `WRONG      and ${more} more\n` : '';
  const force =
    findings.length > 0
      ? ''
      : compared.length === 0
        ? 'in force   not compared: no gateway answers here. Give --config FILE to compare its files\n'
        : `in force   as logged last: ${compared.join(', ')}\n`;
  const end = findings.length === 0 ? 'everything fits\n' : '';
  return [...logs, ...wrong, rest, force, end].join('');
}

interface InForce {
  readonly compared: readonly string[];
  readonly findings: readonly Finding[];
}

/** What a running gateway says it runs, and what the files say, beside what was logged last. */
async function compareInForce(state: string, config: string | undefined, logged: Logged): Promise<InForce> {
  const compared: string[] = [];
  const findings: Finding[] = [];
  const compare = (file: string, what: string, found: unknown, expected: string | undefined): void => {
    compared.push(what);
    if (found === expected) return;
    findings.push({
      file,
      problem: `${what} is ${String(found)}, but ${expected ?? 'none'} was logged last`,
    });
  };
  const read = config === undefined ? undefined : readGatewayConfig(config);
  try {
    const { status, body } = await callAdmin(read ?? state, 'GET', '/v1/status');
    if (status === 200) {
      compare(state, 'the running policy', body['policy'], logged.policy);
      compare(state, 'the running configuration', body['configHash'], logged.configuration);
      compare(state, 'the running code', body['codeHash'], logged.code);
      if (body['change'] !== undefined || logged.change !== undefined)
        compare(state, 'the signed change', body['change'], logged.change);
    }
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
  }
  if (config !== undefined && read !== undefined) {
    compare(config, 'the configuration file', configurationHash(read), logged.configuration);
    const loading = loadPolicy(readFileSync(read.policy, 'utf8'), read.policy);
    compare(read.policy, 'the policy file', loading.ok ? loading.policy.hash : 'refused', logged.policy);
  }
  return { compared, findings };
}

async function prove(state: string, name: string | undefined, { out }: Options): Promise<number> {
  const id = name?.trim().toLowerCase();
  if (id === undefined || uuid7Time(id) === undefined) {
    return usage('which event? Give one event.id, like 019cb830-5000-7a00-8000-000000000001.');
  }
  const proven = await proveRecord(state, id);
  if (proven === undefined) {
    process.stderr.write(
      `sallyport audit: no record here has the id ${id}; older ones may have made room for new ones\n`,
    );
    return EXIT.no;
  }
  const file = out ?? `${id}.tlog-proof.gz`;
  writeFileSync(file, file.endsWith('.gz') ? packProof(proven.proof) : formatProof(proven.proof));
  writeFileSync(eventFileOf(file), proven.record, { mode: 0o600 });
  process.stdout.write(
    `leaf ${proven.index} of the ${proven.log} log; proof in ${file}, event in ${eventFileOf(file)}\n`,
  );
  return EXIT.ok;
}

function eventFileOf(proof: string): string {
  return `${proof.replace(/\.tlog-proof(\.gz)?$/, '')}.json`;
}

function verifyProof(file: string | undefined, { key, event, json }: Options): number {
  if (file === undefined) return usage('which proof? Give its file.');
  const [text, ...others] = key ?? [];
  if (text === undefined || others.length > 0) return usage('whose log? Give one --key VKEY.');
  const eventFile = event ?? eventFileOf(file);
  for (const each of [file, eventFile]) {
    if (!existsSync(each)) return usage(`${each} is not there. Name the event with --event FILE.`);
  }
  let verifier: NoteVerifier;
  try {
    verifier = parseVerifier(text.trim());
  } catch (error) {
    return usage((error as Error).message);
  }
  try {
    const proof = parseProof(unpackProof(readFileSync(file)));
    const { size } = checkProof(proof, recordIn(eventFile), verifier);
    process.stdout.write(
      json
        ? `${JSON.stringify({ ok: true, log: verifier.name, index: proof.index, size })}\n`
        : `the event is leaf ${proof.index} of ${verifier.name}, signed with ${size} leaves\n`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ ok: false, problem: error.message })}\n`);
    else process.stderr.write(`sallyport audit: ${file}: ${error.message}\n`);
    return EXIT.no;
  }
}

/** One record; the newline that many tools leave behind it is no part of it. */
function recordIn(file: string): Buffer {
  const bytes = readFileSync(file);
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

function printKeys(state: string, json: boolean): number {
  const keys = LOGS.map((log) => {
    const directory = join(state, 'ledger', log);
    if (!existsSync(directory)) throw new NoteError(`${directory} is not there`);
    return [log, readVerifier(directory).text] as const;
  });
  process.stdout.write(
    json ? `${JSON.stringify(Object.fromEntries(keys))}\n` : keys.map(([, key]) => `${key}\n`).join(''),
  );
  return EXIT.ok;
}

function usage(message: string): number {
  process.stderr.write(`sallyport audit: ${message}\nTry: sallyport audit --help\n`);
  return EXIT.usage;
}
