// A verifier with a store, a maker's CA and a clock of its own, and devices to enrol and attest with it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Attestation, attestationBinding, type ConnectorIdentity } from '#connectors/wire/evidence';
import type { Appraisal, EvidenceBinding } from '#gateway/attest/appraisal';
import type { ListedDevice } from '#gateway/attest/device-verifier';
import { Endorsements } from '#gateway/attest/endorsements';
import type { ReasonCode } from '#gateway/attest/reasons';
import type { DeviceGrant } from '#gateway/attest/records';
import { AttestationRefusal } from '#gateway/attest/refusal';
import { Verifier, type VerifierOptions } from '#gateway/attest/verifier';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { type Boot, bootEvents, writeLog } from './boot-log.ts';
import { EndorsementCa } from './endorsement-ca.ts';
import { type AttestFields, attestBytes, SoftwareTpm } from './software-tpm.ts';

/** For `assert.rejects` and `throws`: the refusal with this code. */
export const refusal =
  (code: ReasonCode): ((error: unknown) => boolean) =>
  (error) => {
    assert.ok(error instanceof AttestationRefusal, String(error));
    assert.equal(error.code, code);
    return true;
  };

export const EXPORTER: Buffer = Buffer.alloc(32, 9);
/** A connector that a device attests for, over its certificate. */
export const RACK: ConnectorIdentity & { readonly notAfter: number } = {
  name: 'rack-1',
  key: Buffer.alloc(32, 1),
  notAfter: Date.UTC(2026, 5, 2),
};
export const BOOT: Boot = writeLog(bootEvents());

/** What of an honest attestation is to be otherwise. Fields are changed before signing, members after. */
export interface Changed {
  readonly boot?: Boot;
  readonly pcrs?: readonly Buffer[];
  readonly exporter?: Buffer;
  /** The nonce, log or key that extraData is made of, where it is not the one sent. */
  readonly bound?: {
    readonly nonce?: Buffer;
    readonly eventLog?: Buffer;
    readonly keySpki?: Buffer;
    /** Undefined: as a person's device says it. */
    readonly connector?: ConnectorIdentity | undefined;
  };
  /** The connector it runs. */
  readonly connector?: ConnectorIdentity;
  readonly quote?: (fields: AttestFields) => AttestFields;
  /** The quote's bytes, before they are signed. */
  readonly quoted?: (bytes: Buffer) => Buffer;
  readonly certify?: (fields: AttestFields) => AttestFields;
  readonly session?: Buffer;
  readonly after?: (evidence: Attestation) => Attestation;
}

export class Laboratory {
  readonly ca: EndorsementCa = new EndorsementCa('Maker of TPMs');
  readonly store: EmbeddedStore;
  readonly verifier: Verifier;
  endorsements: Endorsements = new Endorsements({ roots: [this.ca.certificate] });
  time: number = Date.UTC(2026, 5, 1);
  readonly #directory: string;
  readonly #options: VerifierOptions;
  #names = 0;

  constructor(options: Partial<VerifierOptions> = {}) {
    this.#directory = mkdtempSync(join(tmpdir(), 'sallyport-attest-'));
    this.store = openEmbeddedStore(join(this.#directory, 'state'), () => this.time);
    this.#options = {
      store: this.store,
      endorsements: () => this.endorsements,
      challengeLife: 60_000,
      resultLife: 900_000,
      pinnedKeys: false,
      now: () => this.time,
      ...options,
    };
    this.verifier = this.another();
  }

  /** Another gateway with the same store. */
  another(): Verifier {
    return new Verifier(this.#options);
  }

  async close(): Promise<void> {
    await this.store.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A permission whose token enrols one device. */
  async token(changed: Partial<DeviceGrant> = {}): Promise<string> {
    const name = `laptop-${++this.#names}`;
    const grant: DeviceGrant = { name, model: 'Laptop 7', approved: true, createdBy: 'admin', ...changed };
    return (await this.verifier.grant(grant, 3_600_000)).token;
  }

  async enrol(
    tpm: SoftwareTpm = new SoftwareTpm(),
    changed: Partial<DeviceGrant> = {},
  ): Promise<ListedDevice> {
    const { verifier } = this;
    const request = {
      token: await this.token(changed),
      ekCertificate: this.ca.endorse(tpm.ek.publicKey),
      ekPublic: tpm.ekPublic,
      akPublic: tpm.akPublic,
    };
    const challenge = await verifier.enrol(request, changed.connector);
    const secret = tpm.activate(challenge.credentialBlob, challenge.encryptedSecret);
    return verifier.activate({ enrolment: challenge.enrolment, secret });
  }

  /** Evidence for one challenge, honest but for what is changed. */
  evidence(device: string, tpm: SoftwareTpm, nonce: Buffer, changed: Changed = {}): Attestation {
    const { boot = BOOT, exporter = EXPORTER, session = tpm.sessionPublic } = changed;
    const pcrs = changed.pcrs ?? boot.pcrs.sha256.slice(0, 8);
    const keySpki = tpm.session.publicKey.export({ format: 'der', type: 'spki' });
    const { connector } = changed;
    const honest = { nonce, eventLog: boot.log, keySpki, exporter, connector };
    const extraData = attestationBinding({ ...honest, ...changed.bound });
    const said = attestBytes((changed.quote ?? same)(tpm.quoteFields(extraData, pcrs)));
    const quoted = (changed.quoted ?? same)(said);
    const certifyInfo = attestBytes((changed.certify ?? same)(tpm.certifyFields(extraData)));
    const evidence: Attestation = {
      ...{ device, nonce, exporter, quoted, pcrs },
      ...(connector === undefined ? {} : { connectorKey: connector.key }),
      signature: tpm.sign(quoted),
      eventLog: boot.log,
      key: { public: session, certifyInfo, certifySignature: tpm.sign(certifyInfo) },
    };
    return (changed.after ?? same)(evidence);
  }

  async attest(
    device: string,
    tpm: SoftwareTpm,
    changed: Changed = {},
    binding: Partial<EvidenceBinding> = {},
  ): Promise<Appraisal> {
    const { nonce } = await this.verifier.challenge(device);
    const evidence = this.evidence(device, tpm, nonce, changed);
    return this.verifier.appraise(evidence, { exporter: EXPORTER, ...binding });
  }

  /** Learns and approves what the device started last. */
  async approveBaseline(device: string): Promise<void> {
    const { id } = await this.verifier.learnBaseline(device, 'admin');
    await this.verifier.approveBaseline(id, 'admin');
  }

  /** An enrolled device in a state that is approved. */
  async ready(tpm: SoftwareTpm = new SoftwareTpm()): Promise<{ device: string; tpm: SoftwareTpm }> {
    const { device } = await this.enrol(tpm);
    await this.attest(device, tpm);
    await this.approveBaseline(device);
    return { device, tpm };
  }
}

function same<T>(value: T): T {
  return value;
}
