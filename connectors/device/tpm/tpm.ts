// The commands of TPM 2.0 that attestation needs (part 3 of the specification), and no more. Whoever loads an object
// or opens a session must flush it: a TPM has three slots of each.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf, RC, refusal, TpmError } from './error.ts';
import type { TpmLink } from './link.ts';
import { Reader, sized, u8, u16, u32 } from './marshal.ts';
import { ALG } from './templates.ts';

const OWNER = 0x40000001;
const ENDORSEMENT = 0x4000000b;
const NULL_HIERARCHY = 0x40000007;
const PASSWORD = 0x40000009;

const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
const HASHCHECK = 0x8024;
const POLICY_SESSION = 1;
const CONTINUE_SESSION = 1;
const CAP_HANDLES = 1;
const TRANSIENT = 0x80000000;
/** Most objects that any TPM holds at once, with room to spare. */
const MAX_TRANSIENT = 32;

/** A busy TPM is asked again, after waits that double from here: some eight seconds in all. */
const FIRST_WAIT = 2;
const RETRIES = 12;
/** Most bytes of one TPM2_NV_Read that every TPM gives. */
const NV_CHUNK = 512;

/** Who may use a handle: its empty password, or a policy session that was satisfied. */
export type Authorization = 'password' | number;

/** A key as the TPM gives it out: only under its parent in this TPM can it be used. */
export interface TpmKey {
  /** TPMT_PUBLIC. */
  readonly public: Buffer;
  /** The content of TPM2B_PRIVATE: encrypted by its parent. */
  readonly private: Buffer;
}

/** What a key says of something: TPMS_ATTEST and TPMT_SIGNATURE. */
export interface Statement {
  readonly attest: Buffer;
  readonly signature: Buffer;
}

interface Command {
  readonly code: number;
  /** In order; the first of them are authorised by `by`, one each. */
  readonly handles?: readonly number[];
  readonly by?: readonly Authorization[];
  readonly parameters?: readonly Buffer[];
}

/** TPM2B_SENSITIVE_CREATE of a key without password and without given secret. */
const NO_SENSITIVE = sized(u16(0), u16(0));
/** Nothing to note of the outside at creation. */
const NO_OUTSIDE: readonly Buffer[] = [u16(0), u32(0)];
const NULL_SCHEME = u16(ALG.null);

export class Tpm {
  readonly #link: TpmLink;

  constructor(link: TpmLink) {
    this.#link = link;
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async getRandom(length: number): Promise<Buffer> {
    return (await this.#run('GetRandom', { code: 0x17b, parameters: [u16(length)] })).sized();
  }

  /** Handles of loaded objects. Behind the kernel's resource manager only our own show. */
  async transients(): Promise<readonly number[]> {
    const parameters = [u32(CAP_HANDLES), u32(TRANSIENT), u32(MAX_TRANSIENT)];
    const reply = await this.#run('GetCapability', { code: 0x17a, parameters });
    reply.take(1 + 4);
    return Array.from({ length: Math.min(reply.u32(), MAX_TRANSIENT) }, () => reply.u32());
  }

  /** The content of an NV index that its own empty password opens; undefined if there is no such index. */
  async nvRead(index: number): Promise<Buffer | undefined> {
    const reply = await this.#ifThere('NV_ReadPublic', { code: 0x169, handles: [index] });
    if (reply === undefined) return undefined;
    const area = new Reader(reply.sized());
    area.take(4 + 2 + 4);
    area.sized();
    const size = area.u16();
    const parts: Buffer[] = [];
    for (let offset = 0; offset < size; offset += NV_CHUNK) {
      const parameters = [u16(Math.min(NV_CHUNK, size - offset)), u16(offset)];
      const read: Command = { code: 0x14e, handles: [index, index], by: ['password'], parameters };
      parts.push((await this.#run('NV_Read', read)).sized());
    }
    return Buffer.concat(parts);
  }

  /** TPMT_PUBLIC of an object; undefined if there is none. */
  async readPublic(handle: number): Promise<Buffer | undefined> {
    return (await this.#ifThere('ReadPublic', { code: 0x173, handles: [handle] }))?.sized();
  }

  /** Makes an endorsement key from its template; the same each time. Flush it. */
  createEndorsementKey(template: Buffer): Promise<{ handle: number; public: Buffer }> {
    return this.#createPrimary(ENDORSEMENT, template);
  }

  /** Makes a storage key from its template; the same each time until the TPM is cleared. Flush it. */
  createStorageKey(template: Buffer): Promise<{ handle: number; public: Buffer }> {
    return this.#createPrimary(OWNER, template);
  }

  async #createPrimary(hierarchy: number, template: Buffer): Promise<{ handle: number; public: Buffer }> {
    const parameters = [NO_SENSITIVE, sized(template), ...NO_OUTSIDE];
    const command: Command = { code: 0x131, handles: [hierarchy], by: ['password'], parameters };
    const reply = await this.#run('CreatePrimary', command, true);
    return { handle: reply.u32(), public: reply.sized() };
  }

  async create(parent: number, by: Authorization, template: Buffer): Promise<TpmKey> {
    const parameters = [NO_SENSITIVE, sized(template), ...NO_OUTSIDE];
    const reply = await this.#run('Create', { code: 0x153, handles: [parent], by: [by], parameters });
    return { private: reply.sized(), public: reply.sized() };
  }

  /** Flush it. */
  async load(parent: number, by: Authorization, key: TpmKey): Promise<number> {
    const parameters = [sized(key.private), sized(key.public)];
    return (await this.#run('Load', { code: 0x157, handles: [parent], by: [by], parameters }, true)).u32();
  }

  /** A policy session that satisfies PolicySecret(TPM_RH_ENDORSEMENT), for one command. Flush it. */
  async endorsementSession(): Promise<number> {
    const parameters = [sized(randomBytes(16)), u16(0), u8(POLICY_SESSION), NULL_SCHEME, u16(ALG.sha256)];
    const start: Command = { code: 0x176, handles: [NULL_HIERARCHY, NULL_HIERARCHY], parameters };
    const session = (await this.#run('StartAuthSession', start, true)).u32();
    const secret: Command = {
      code: 0x151,
      handles: [ENDORSEMENT, session],
      by: ['password'],
      parameters: [u16(0), u16(0), u16(0), u32(0)],
    };
    try {
      await this.#run('PolicySecret', secret);
    } catch (error) {
      await this.flush(session);
      throw error;
    }
    return session;
  }

  /** The secret of a credential that was made for this very AK and EK. */
  async activateCredential(
    ak: number,
    ek: number,
    byEk: Authorization,
    credential: { readonly blob: Buffer; readonly secret: Buffer },
  ): Promise<Buffer> {
    const parameters = [sized(credential.blob), sized(credential.secret)];
    const command: Command = { code: 0x147, handles: [ak, ek], by: ['password', byEk], parameters };
    return (await this.#run('ActivateCredential', command)).sized();
  }

  /** The values of these PCRs of the SHA-256 bank, in order. */
  async pcrRead(pcrs: readonly number[]): Promise<Buffer[]> {
    const values: Buffer[] = [];
    while (values.length < pcrs.length) {
      const parameters = [selection(pcrs.slice(values.length))];
      const reply = await this.#run('PCR_Read', { code: 0x17e, parameters });
      reply.take(4);
      for (let banks = reply.u32(); banks > 0; banks -= 1) {
        reply.take(2);
        reply.take(reply.u8());
      }
      // One call gives eight at most, and none of a bank that is switched off.
      const count = reply.u32();
      if (count === 0) throw new TpmError('unsuited', 'the SHA-256 PCR bank of this TPM is switched off');
      for (let index = 0; index < count; index += 1) values.push(reply.sized());
    }
    return values;
  }

  async quote(ak: number, extraData: Buffer, pcrs: readonly number[]): Promise<Statement> {
    const parameters = [sized(extraData), NULL_SCHEME, selection(pcrs)];
    return statement(await this.#run('Quote', { code: 0x158, handles: [ak], by: ['password'], parameters }));
  }

  /** The AK's word that `key` is a key of this TPM, and which. */
  async certify(key: number, ak: number, extraData: Buffer): Promise<Statement> {
    const parameters = [sized(extraData), NULL_SCHEME];
    const command: Command = { code: 0x148, handles: [key, ak], by: ['password', 'password'], parameters };
    return statement(await this.#run('Certify', command));
  }

  /** TPMT_SIGNATURE over a digest that was made outside the TPM. */
  async sign(key: number, digest: Buffer): Promise<Buffer> {
    const noTicket = [u16(HASHCHECK), u32(NULL_HIERARCHY), u16(0)];
    const parameters = [sized(digest), NULL_SCHEME, ...noTicket];
    return (await this.#run('Sign', { code: 0x15d, handles: [key], by: ['password'], parameters })).rest();
  }

  async flush(handle: number): Promise<void> {
    await this.#run('FlushContext', { code: 0x165, handles: [handle] });
  }

  async #ifThere(name: string, command: Command): Promise<Reader | undefined> {
    try {
      return await this.#run(name, command);
    } catch (error) {
      const response = error instanceof TpmError ? error.response : undefined;
      if (response !== undefined && kindOf(response) === RC.handle) return undefined;
      throw error;
    }
  }

  /** The reply's handle, if it has one, and its parameters. */
  async #run(name: string, command: Command, givesHandle = false): Promise<Reader> {
    const bytes = marshal(command);
    for (let attempt = 0; ; attempt += 1) {
      const response = await this.#link.send(bytes);
      const code = response.readUInt32BE(6);
      if (code === 0) return parameters(response, givesHandle);
      if (!BUSY.has(code) || attempt === RETRIES) throw refusal(name, code);
      await sleep(FIRST_WAIT * 2 ** Math.min(attempt, 10));
    }
  }
}

const BUSY: ReadonlySet<number> = new Set([RC.retry, RC.yielded, RC.testing]);

function marshal({ code, handles = [], by = [], parameters = [] }: Command): Buffer {
  const authorizations = Buffer.concat(by.map(authorization));
  const area = by.length === 0 ? [] : [u32(authorizations.length), authorizations];
  const body = Buffer.concat([...handles.map(u32), ...area, ...parameters]);
  const tag = by.length === 0 ? NO_SESSIONS : SESSIONS;
  return Buffer.concat([u16(tag), u32(10 + body.length), u32(code), body]);
}

/** Without nonce and HMAC: the passwords are empty, and the sessions neither salted nor bound. */
function authorization(by: Authorization): Buffer {
  const handle = by === 'password' ? PASSWORD : by;
  return Buffer.concat([u32(handle), u16(0), u8(CONTINUE_SESSION), u16(0)]);
}

function parameters(response: Buffer, givesHandle: boolean): Reader {
  const reader = new Reader(response.subarray(10));
  if (response.readUInt16BE(0) !== SESSIONS) return reader;
  const handle = givesHandle ? reader.take(4) : Buffer.alloc(0);
  return new Reader(Buffer.concat([handle, reader.take(reader.u32())]));
}

function statement(reply: Reader): Statement {
  return { attest: reply.sized(), signature: reply.rest() };
}

/** TPML_PCR_SELECTION of these PCRs of the SHA-256 bank. */
function selection(pcrs: readonly number[]): Buffer {
  const bitmap = Buffer.alloc(3);
  for (const pcr of pcrs) bitmap[pcr >> 3] = (bitmap[pcr >> 3] ?? 0) | (1 << (pcr & 7));
  return Buffer.concat([u32(1), u16(ALG.sha256), u8(bitmap.length), bitmap]);
}
