// A repository with signed changes for tests: real git, real SSH keys, nothing of the person who runs the tests.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ConfigFile, type Predecessor, proposal } from '#bin/commands/change/proposal';
import { readConfig } from '#bin/read-config';
import { type Bundle, CHANGE_NAMESPACE } from '#gateway/change/bundle';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';

/** For `requires`. */
export const NEEDS = ['git', 'ssh-keygen'] as const;
export const REPOSITORY = 'git@git.example.com:infra/access.git';

export const POLICY = `version: 1
apps: [wiki]
rules:
  - { id: staff, allow: wiki, who: idp:staff }
`;

function gatewayText(changes = ''): string {
  return `version: 1
policy: ./policy.yaml
portal: https://access.example.com:8443
changes:
  signers: ./allowed_signers
  repository: ${REPOSITORY}
  bundle: ./change.json
${changes}identity:
  providers:
    - id: corp
      name: Example Corp
      issuer: https://id.example.com
      clientId: sallyport
apps:
  - { id: wiki, name: Wiki, host: wiki.example.com, connectors: [berlin-1] }
`;
}

export class ChangeBed {
  readonly directory: string;
  readonly #repository: string;
  readonly #signers: string[] = [];

  /** `repository`: path of the clone in `directory`. */
  constructor(directory?: string, repository = 'repository') {
    this.directory = directory ?? mkdtempSync(join(tmpdir(), 'sallyport-change-'));
    this.#repository = repository;
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** A new key; the private key's file. */
  key(name: string, ...type: readonly string[]): string {
    mkdirSync(this.path('keys'), { recursive: true });
    const file = this.path(`keys/${name}`);
    const args = ['-q', '-N', '', '-C', name, '-f', file, ...(type.length > 0 ? type : ['-t', 'ed25519'])];
    execFileSync('ssh-keygen', args);
    return file;
  }

  /** A new key whose owner may sign. */
  signer(name: string, options = '', ...type: readonly string[]): string {
    const file = this.key(name, ...type);
    this.#signers.push(`${name}@example.com ${options} ${publicKey(file)}`);
    this.write(`${this.#repository}/allowed_signers`, `${this.#signers.join('\n')}\n`);
    return file;
  }

  git(...args: readonly string[]): string {
    const env = {
      ...process.env,
      ...{ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', HOME: this.directory },
      ...{ GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com' },
      ...{ GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'ada@example.com' },
    };
    return execFileSync('git', ['-C', this.path(this.#repository), ...args], {
      env,
      encoding: 'utf8',
    }).trim();
  }

  /** Makes the repository, and commits a first policy and configuration. */
  begin(changes = '', ...init: readonly string[]): void {
    this.write(`${this.#repository}/gateway.yaml`, gatewayText(changes));
    this.write(`${this.#repository}/policy.yaml`, POLICY);
    this.init(...init);
  }

  /** Makes the repository of the files that are there. */
  init(...init: readonly string[]): void {
    this.git('init', '-q', '-b', 'main', ...init);
    this.git('remote', 'add', 'origin', REPOSITORY);
    this.#commit();
  }

  /** Commits a policy; the commit's id. */
  commit(policy: string, ...more: readonly string[]): string {
    this.write(`${this.#repository}/policy.yaml`, policy);
    return this.#commit(...more);
  }

  #commit(...more: readonly string[]): string {
    this.git('add', 'gateway.yaml', 'policy.yaml', 'allowed_signers');
    this.git('commit', '-q', '-m', 'policy: who reads the wiki', ...more);
    return this.git('rev-parse', 'HEAD');
  }

  get config(): ConfigFile & { readonly config: GatewayConfig } {
    const file = this.path(`${this.#repository}/gateway.yaml`);
    const config = readConfig(file, gatewaySchema);
    if (config === undefined) throw new Error(`${file} is not good`);
    return { file, config: resolvePaths(config, dirname(file)) };
  }

  /** A change from what is committed, signed with `keys`. */
  change(
    keys: readonly string[],
    previous?: Predecessor,
    edit: (bundle: Bundle) => Bundle = (one) => one,
  ): Bundle {
    const bundle = edit(proposal([this.config], previous, undefined));
    return { ...bundle, signatures: keys.map((key) => this.sign(key, bundle.statement)) };
  }

  sign(key: string, text: string, namespace: string = CHANGE_NAMESPACE, ...more: readonly string[]): string {
    const args = ['-Y', 'sign', '-q', '-n', namespace, '-f', key, ...more];
    return execFileSync('ssh-keygen', args, {
      input: text,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  }
}

/** `ssh-ed25519 AAAA…`, without the comment. */
export function publicKey(file: string): string {
  return readFileSync(`${file}.pub`, 'utf8').split(' ', 2).join(' ').trim();
}
