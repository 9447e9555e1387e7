// A person's machine in stories: a software TPM that was booted the way a firmware's event log says, and the rules and
// keys of a gateway that asks for it.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SoftwareTpm, TpmMaker } from '#test/connectors/device/swtpm';
import { type BootEvent, bootEvents, measuredBy, writeLog } from '#test/gateway/attest/boot-log';
import type { Scope } from './installation.ts';

export { TPM_NEEDS as MACHINE_NEEDS } from '#test/connectors/device/swtpm';

/** Keys of the gateway's document: `machine.root` and `.intermediate` are trusted. */
export const ATTESTATION = `attestation:
  roots: [./tpm-root.pem]
  intermediates: [./tpm-issuer.pem]
  result: 5m
`;

const HARDENED = `devices:
  hardened: { attested: true, secureBoot: true, baseline: true, hardwareKey: true, sameBoot: true, quotedWithin: 10m }
`;

/** Makes the log as large as those of real firmware: more than a form may have. */
const LARGE: BootEvent = { pcr: 5, type: 6, data: Buffer.alloc(60_000, 'partition table') };

export class StoryMachine {
  readonly tpm: SoftwareTpm;
  readonly directory: string;
  readonly #maker: TpmMaker;

  private constructor(directory: string, maker: TpmMaker, tpm: SoftwareTpm) {
    this.directory = directory;
    this.#maker = maker;
    this.tpm = tpm;
  }

  /** A machine that is switched off and gone when the story is over. */
  static async switchOn(scope: Scope): Promise<StoryMachine> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-machine-'));
    const maker = new TpmMaker(join(directory, 'ca'));
    const machine = new StoryMachine(directory, maker, await maker.make(join(directory, 'tpm')));
    scope.after(async () => {
      await machine.tpm.off();
      rmSync(directory, { recursive: true, force: true });
    });
    await machine.boot();
    return machine;
  }

  /** The firmware's log. */
  get eventLog(): string {
    return join(this.directory, 'event-log');
  }

  /** Measures a start into the TPM and writes the log of it. */
  async boot(events: readonly BootEvent[] = bootEvents()): Promise<void> {
    const all = [...events, LARGE];
    for (const { pcr, digest } of measuredBy(all)) await this.tpm.extend(pcr, digest);
    writeFileSync(this.eventLog, writeLog(all, ['sha256']).log);
  }

  async reboot(events?: readonly BootEvent[]): Promise<void> {
    await this.tpm.reboot();
    await this.boot(events);
  }

  /** Another machine of the same maker. */
  async sibling(name: string): Promise<SoftwareTpm> {
    return this.#maker.make(join(this.directory, name));
  }

  /** Makes the installation in `directory` trust the maker, and ask for a hardened device for `drop`. */
  prepare(directory: string): void {
    mkdirSync(directory, { recursive: true });
    copyFileSync(this.#maker.root, join(directory, 'tpm-root.pem'));
    copyFileSync(this.#maker.intermediate, join(directory, 'tpm-issuer.pem'));
    const policy = join(directory, 'policy.yaml');
    const text = readFileSync(policy, 'utf8')
      .replace('apps: [wiki', `${HARDENED}apps: [wiki`)
      .replace('allow: drop, who: engineering', 'allow: drop, who: engineering, when: { device: hardened }');
    writeFileSync(policy, text);
  }
}
