// The machine that a connector runs on, proving its state to the gateways: enrolled once with an admin's token, then
// kept fresh over the connector's own certificate. See docs/connector.md.
import { hash, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Agent } from 'node:https';
import { join } from 'node:path';
import type { ConnectorConfig } from './config.ts';
import { attestDevice, enrolDevice } from './device/ceremony.ts';
import { keepFresh } from './device/fresh.ts';
import { type DeviceState, preparePlace, readDevice, writeDevice } from './device/key-store.ts';
import { PortalError } from './device/portal.ts';
import type { Identity } from './link/identity.ts';
import { Proven } from './proven.ts';
import type { AttestationReply } from './wire/evidence.ts';
import type { Log } from './wire/log.ts';
import { outboundAgent } from './wire/outbound.ts';

/** Longest time that new tunnels wait for the first proof over a renewed certificate, in milliseconds. */
const RENEWAL_GRACE = 15_000;

type Machine = NonNullable<ConnectorConfig['attestation']>;

function fileOf({ state }: ConnectorConfig): string {
  return join(state, 'device.json');
}

/** Whether the machine is enrolled for this connector already. */
export function machineEnrolled(config: ConnectorConfig): boolean {
  return existsSync(fileOf(config));
}

/**
 * Spends a token of `sallyport device token --connector` on this machine's TPM, at the first gateway that answers. True
 * if no admin has to approve it.
 * @throws {PortalError} {TpmError} {KeyStoreError} {EvidenceError}
 */
export async function enrolMachine(
  config: ConnectorConfig,
  { tpm }: Machine,
  identity: Identity,
  token: string,
): Promise<boolean> {
  preparePlace(fileOf(config));
  const agent = agentOf(identity);
  const { state, ...device } = await atAny(config.gateways, (portal) =>
    enrolDevice({ portal, agent, tpm, token: token.trim() }),
  );
  writeDevice(fileOf(config), device);
  return state === 'approved';
}

export interface AttestingParts {
  readonly config: ConnectorConfig;
  readonly machine: Machine;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}

export class Attesting {
  readonly #parts: AttestingParts;
  readonly #device: DeviceState;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  readonly #proven: Proven = new Proven(RENEWAL_GRACE);
  #news = '';

  /** @throws {KeyStoreError} when the machine is not enrolled, or not safely. */
  constructor(parts: AttestingParts) {
    const { config, machine } = parts;
    this.#parts = parts;
    const enrol = `Make a token at the gateway with \`sallyport device token --connector ${config.name}\` and give it with --tpm-token-file FILE.`;
    this.#device = { ...readDevice(fileOf(config), enrol), tpm: machine.tpm };
  }

  /** `identity`: the certificate to attest over, as it is now. */
  start(identity: () => Identity): void {
    const { machine, now, random } = this.#parts;
    const options = {
      ...{ tpm: machine.tpm, now, random, occasion: identity },
      attest: () => this.#attest(identity()),
      onResult: (result: AttestationReply) => this.#say(result),
      onFailure: (error: Error) => this.#fail(error),
    };
    this.#loop = keepFresh(options, this.#stop.signal);
  }

  /** Resolves when there is a proof over this certificate, or there has been time enough for one. */
  over(identity: Identity): Promise<void> {
    return this.#proven.over(identity);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #attest(identity: Identity): Promise<AttestationReply> {
    const { config, machine, now } = this.#parts;
    const agent = agentOf(identity);
    const connector = { name: config.name, key: keyOf(identity) };
    const result = await atAny(config.gateways, (portal) =>
      attestDevice({
        ...{ agent, connector, now, eventLog: machine.eventLog },
        device: { ...this.#device, portal },
      }),
    );
    this.#proven.by(identity);
    return result;
  }

  /** Once for each news, not for each renewal. */
  #say({ status, reasons }: AttestationReply): void {
    const { log } = this.#parts;
    const news = [status, ...reasons.map(({ code }) => code)].join();
    if (news === this.#news) return;
    this.#news = news;
    const fields = { status, reasons: reasons.map(({ code }) => code) };
    const sentences = reasons.map(({ message, remedy }) => `${message} ${remedy}`).join(' ');
    const text = `this machine attested: ${status}${sentences === '' ? '' : `. ${sentences}`}`;
    if (reasons.length === 0) log.info(fields, text);
    else log.warn(fields, text);
  }

  #fail(error: Error): void {
    this.#news = '';
    const code = 'code' in error ? error.code : undefined;
    this.#parts.log.warn({ code }, `this machine did not attest: ${error.message}`);
  }
}

/** A gateway that cannot be reached says nothing, so the next one is asked. */
async function atAny<T>(gateways: readonly string[], ask: (portal: string) => Promise<T>): Promise<T> {
  for (const [index, gateway] of gateways.entries()) {
    try {
      return await ask(new URL(gateway).origin);
    } catch (error) {
      const next =
        error instanceof PortalError && error.code === 'unreachable' && index + 1 < gateways.length;
      if (!next) throw error;
    }
  }
  throw new PortalError('unreachable', 'no gateway is configured');
}

/** A connection of its own for each call, so that it shows the certificate it is said to. */
function agentOf({ ca, certificate, key }: Identity): Agent {
  return outboundAgent({
    ...{ ca, cert: certificate, key, minVersion: 'TLSv1.3', rejectUnauthorized: true },
    ...{ keepAlive: false, maxCachedSessions: 0 },
  });
}

function keyOf({ certificate }: Identity): Buffer {
  const { publicKey } = new X509Certificate(certificate);
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer');
}
