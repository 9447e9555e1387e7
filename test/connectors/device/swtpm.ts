// TPMs for tests: swtpm with endorsement certificates from a CA of its own. Each has its own directory and ports, and
// is always shut down in order, because a TPM that is cut off three times locks itself.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openTpm } from '#connectors/device/tpm/link';
import { findProgram } from '#test/requires';
import { freePorts } from '#test/story/ports';

/** What a suite with TPMs needs; for `requires`. */
export const TPM_NEEDS = ['swtpm', 'swtpm_setup', 'certtool'] as const;
/** And to look at them with another implementation. */
export const TOOLS_NEEDS = ['tpm2_checkquote', '/usr/lib/*/libtss2-tcti-swtpm.so.0'] as const;

const PATIENCE = 10_000;
const SHUTDOWN_CLEAR = Buffer.from('80010000000c000001450000', 'hex');
const execute = promisify(execFile);

/** A maker of TPMs: the CA that vouches for them. */
export class TpmMaker {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
    const at = (name: string): string => join(directory, name);
    writeFileSync(
      at('localca.conf'),
      `statedir = ${directory}\nsigningkey = ${at('signkey.pem')}\nissuercert = ${at('issuercert.pem')}\ncertserial = ${at('certserial')}\n`,
    );
    writeFileSync(
      at('options'),
      '--platform-manufacturer Example\n--platform-version 1\n--platform-model Test\n',
    );
    writeFileSync(
      at('setup.conf'),
      `create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = ${at('localca.conf')}\ncreate_certs_tool_options = ${at('options')}\nactive_pcr_banks = sha256\n`,
    );
  }

  /** PEM files: the root, and the intermediate that signs. Here once a TPM was made. */
  get root(): string {
    return join(this.directory, 'swtpm-localca-rootca-cert.pem');
  }

  get intermediate(): string {
    return join(this.directory, 'issuercert.pem');
  }

  /** A new TPM, switched on. */
  async make(directory: string): Promise<SoftwareTpm> {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o700);
    const setup = [
      '--tpm2',
      '--tpm-state',
      directory,
      '--create-ek-cert',
      '--config',
      join(this.directory, 'setup.conf'),
    ];
    await execute('swtpm_setup', setup);
    const tpm = new SoftwareTpm(directory, await twoPorts());
    await tpm.on();
    return tpm;
  }
}

export class SoftwareTpm {
  readonly #directory: string;
  readonly #port: number;
  #process: ReturnType<typeof spawn> | undefined;

  constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
  }

  /** For `openTpm`. */
  get address(): string {
    return `swtpm:127.0.0.1:${this.#port}`;
  }

  async on(): Promise<void> {
    const at = (port: number): string => `type=tcp,port=${port},bindaddr=127.0.0.1`;
    const state = `dir=${this.#directory}`;
    const args = ['--tpm2', '--tpmstate', state, '--server', at(this.#port), '--ctrl', at(this.#port + 1)];
    const child = spawn(
      findProgram('swtpm') ?? '',
      ['socket', ...args, '--flags', 'not-need-init,startup-clear'],
      {
        stdio: 'ignore',
      },
    );
    this.#process = child;
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      try {
        const link = await openTpm(this.address);
        return await link.close();
      } catch (error) {
        if (Date.now() > deadline || child.exitCode !== null) throw error;
        await sleep(10);
      }
    }
  }

  /** Switches it off as an operating system does. */
  async off(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const link = await openTpm(this.address);
    await link.send(SHUTDOWN_CLEAR);
    await link.close();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async reboot(): Promise<void> {
    await this.off();
    await this.on();
  }

  /** Runs one of tpm2-tools on this TPM; what it printed. */
  async tool(name: string, ...args: readonly string[]): Promise<string> {
    const tcti = `swtpm:host=127.0.0.1,port=${this.#port}`;
    const { stdout } = await execute(name, [...args], { env: { ...process.env, TPM2TOOLS_TCTI: tcti } });
    return stdout;
  }

  /** TPM2_PCR_Extend of the SHA-256 bank. */
  async extend(pcr: number, digest: Buffer): Promise<void> {
    assert.equal(digest.length, 32);
    const body = Buffer.from(
      `${pcr.toString(16).padStart(8, '0')}0000000940000009000001000000000001000b${digest.toString('hex')}`,
      'hex',
    );
    await this.#succeeds(0x182, body);
  }

  /** TPM2_Clear by the platform: what "clear TPM" in the firmware's settings does. */
  async clear(): Promise<void> {
    await this.#succeeds(0x126, Buffer.from('4000000c00000009400000090000010000', 'hex'));
  }

  async #succeeds(code: number, body: Buffer): Promise<void> {
    const head = Buffer.alloc(10);
    head.writeUInt16BE(0x8002);
    head.writeUInt32BE(head.length + body.length, 2);
    head.writeUInt32BE(code, 6);
    const link = await openTpm(this.address);
    const response = await link.send(Buffer.concat([head, body]));
    await link.close();
    assert.equal(response.readUInt32BE(6), 0, `TPM command ${code.toString(16)}`);
  }
}

/** swtpm's control port is the one after its own. */
async function twoPorts(): Promise<number> {
  for (;;) {
    const [port = 0] = await freePorts(1);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port + 1, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
