// An installation with apps that are sshd: a real one, which trusts our certificates alone, and two people at terminals.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Agent } from 'undici';
import { NEEDS as INSTALLATION, type Outcome, ROOT, type Scope, StoryInstallation } from '../installation.ts';
import { Part, until } from '../part.ts';
import { freePorts } from '../ports.ts';
import type { Recorded } from '../record.ts';
import { Person } from './person.ts';
import { startSshd } from './sshd.ts';

/** For `requires`. */
export const NEEDS: readonly string[] = [...INSTALLATION, 'sshd', 'scp', 'ssh-keygen'];
/** Whoever runs the tests: without being root, sshd lets nobody else in. */
export const ACCOUNT: string = userInfo().username;

function appsFor(account: string): string {
  const app = (id: string, ssh: string): string =>
    `  - { id: ${id}, name: ${id}, protocol: tcp, connectors: [rack-1]${ssh} }\n`;
  return [
    app('shell.prod', `, ssh: { principals: [${account}], sources: [127.0.0.1] }`),
    app('shell.wrong', ', ssh: { principals: [somebody-else, "{user}"], domain: example.com, life: 15m }'),
    app('shell.away', `, ssh: { principals: [${account}], sources: [192.0.2.0/24, "2001:db8::/32"] }`),
    app('shell.secret', `, ssh: { principals: [${account}] }`),
    app('shell.nobody', ', ssh: { principals: ["{user}"], domain: elsewhere.example }'),
    app('shell.first', `, ssh: { principals: [${account}] }`),
    app('plain', ''),
  ].join('');
}

/** Those that engineers may reach. */
const SSH_APPS = ['shell.prod', 'shell.wrong', 'shell.away', 'shell.nobody', 'shell.first', 'plain'];
/** Those of them whose rule does not limit the session. */
const ORDINARY = SSH_APPS.filter((id) => id !== 'shell.wrong');

export interface SshBed {
  readonly installation: StoryInstallation;
  /** An engineer, with `sallyport` on their PATH; and somebody who may reach none of it. */
  readonly ada: Person;
  readonly ben: Person;
  readonly dispatcher: Agent;
  at(name: string): string;
  /** A subcommand of `sallyport ca` that does what it should; what it said. */
  ca(...args: string[]): Promise<string>;
  /** A command of `sallyport` as a person types it. */
  run(person: Person, ...args: string[]): Promise<Outcome>;
  /** A program of Ada's. */
  program(name: string, ...args: string[]): Promise<Outcome>;
  /** Plain ssh to an app, by the lines that `ssh-config` printed. */
  ssh(app: string, ...words: string[]): Promise<Outcome>;
  /** Ada's key for an app. */
  keyOf(app: string): string;
  /** Past the gateway, as whoever is in the network of sshd. */
  direct(key: string): Promise<Outcome>;
  refusedDirectly(key: string, why: RegExp): Promise<void>;
  /** Waits until sshd has said something since it was last asked, or since what it said was forgotten. */
  sshdSaid(what: RegExp): Promise<RegExpExecArray>;
  forget(): void;
  recorded(action: string): readonly Recorded[];
}

export async function startSshBed(scope: Scope): Promise<SshBed> {
  const [sshPort = 0] = await freePorts(1);
  const installation = await StoryInstallation.start(scope, {
    further: appsFor(ACCOUNT),
    prepare: (directory) => {
      const edit = (name: string, change: (text: string) => string): void =>
        writeFileSync(join(directory, name), change(readFileSync(join(directory, name), 'utf8')));
      const all = [...SSH_APPS, 'shell.secret'];
      edit('connector.yaml', (text) =>
        text.concat(all.map((id) => `  ${id}: { url: "tcp://127.0.0.1:${sshPort}" }\n`).join('')),
      );
      edit('policy.yaml', (text) =>
        text
          .replace('mirror, spare]', `mirror, spare, ${all.join(', ')}]`)
          .concat(`  - { id: engineers-ssh, allow: [${ORDINARY.join(', ')}], who: engineering }\n`)
          .concat('  - { id: engineers-brief, allow: shell.wrong, who: engineering, maxSession: 5m }\n')
          .concat('  - { id: finance-secret, allow: shell.secret, who: finance, when: { mfa: 1m } }\n'),
      );
    },
  });
  const at = (name: string): string => installation.path(name);
  const config = ['--config', 'gateway.yaml'] as const;
  const ca = async (...args: string[]): Promise<string> => {
    const { code, output } = await installation.sallyport('ca', ...args, ...config);
    assert.equal(code, 0, output);
    return output;
  };
  const recorded = (action: string): readonly Recorded[] =>
    installation.events().filter(({ event }) => event.action === action);

  // What a person types is on PATH.
  mkdirSync(at('bin'));
  writeFileSync(
    at('bin/sallyport'),
    `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/bin/sallyport.js' "$@"\n`,
  );
  chmodSync(at('bin/sallyport'), 0o755);
  const ada = new Person(installation, 'ada', [`PATH=${at('bin')}:${process.env['PATH']}`]);
  const ben = new Person(installation, 'ben');
  for (const person of [ada, ben]) assert.equal((await (await person.login()).ended).code, 0);

  const run = async (person: Person, ...args: string[]): Promise<Outcome> => {
    const part = person.run(...args);
    const { code } = await part.ended;
    return { code, output: part.output };
  };
  const program = async (name: string, ...args: string[]): Promise<Outcome> => {
    const words = [...ada.environment, name, ...args];
    const part = new Part(name, 'env', words, { cwd: installation.directory, log: at(`${name}.log`) });
    const { code } = await part.ended;
    return { code, output: part.output };
  };

  await ca('ssh-public-key', '--out', 'user-ca.pub');
  await ca('ssh-krl', '--out', 'revoked.krl');
  const sshd = await startSshd(
    installation,
    sshPort,
    `AuthorizedKeysFile none\nTrustedUserCAKeys ${at('user-ca.pub')}\nRevokedKeys ${at('revoked.krl')}\nLogLevel VERBOSE\n`,
  );
  let read = 0;
  const sshdSaid = async (what: RegExp): Promise<RegExpExecArray> => {
    const found = await until(`sshd says ${what}`, () => what.exec(sshd.output.slice(read)) ?? undefined);
    read = sshd.output.length;
    return found;
  };
  const forget = (): void => {
    read = sshd.output.length;
  };

  const common = `  UserKnownHostsFile ${at('known_hosts')}\n  StrictHostKeyChecking accept-new\n  BatchMode yes\n`;
  const entries = await run(ada, 'ssh-config', ...SSH_APPS);
  writeFileSync(at('ssh_config'), `${entries.output}Host *\n${common}`);
  const ssh = (app: string, ...words: string[]): Promise<Outcome> =>
    program('ssh', '-F', at('ssh_config'), `${ACCOUNT}@${app}`, ...words);
  const keyOf = (app: string): string => `${ada.home}/sallyport/ssh/${app}`;
  const direct = (key: string): Promise<Outcome> =>
    program(
      ...(['ssh', '-F', 'none', '-i', key, '-o', 'IdentitiesOnly=yes', '-p', String(sshPort)] as const),
      ...['-o', `UserKnownHostsFile=${at('known_hosts')}`, '-o', 'StrictHostKeyChecking=accept-new'],
      ...['-o', 'BatchMode=yes', `${ACCOUNT}@127.0.0.1`, 'echo in'],
    );
  const refusedDirectly = async (key: string, why: RegExp): Promise<void> => {
    forget();
    const { code, output } = await direct(key);
    assert.equal(code, 255, output);
    await sshdSaid(why);
  };

  const dispatcher = installation.dispatcher(readFileSync(at('state/development-ca/ca.pem'), 'utf8'));
  return {
    ...{ installation, ada, ben, dispatcher, at, ca, run, program, ssh, keyOf, direct, refusedDirectly },
    ...{ sshdSaid, forget, recorded },
  };
}
