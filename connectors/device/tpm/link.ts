// The way to a TPM 2.0: the kernel's resource manager, or swtpm's TCP port. One command is one buffer there and one
// back; neither transport frames them, so a response is complete when it has as many bytes as its own header says.
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { TpmError } from './error.ts';

/** Offers one TPM: send a whole command, get its whole response. */
export interface TpmLink {
  send(command: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

export const DEFAULT_TPM = '/dev/tpmrm0';
/** TPM2_PT_MAX_COMMAND_SIZE of every TPM there is. */
const MAX_RESPONSE = 4096;
const HEADER = 10;
/** A hardware TPM needs seconds to make an RSA key, and a hung one must not hold its caller for good. */
const TIME_LIMIT = 60_000;

/** `/dev/tpmrm0`, or `swtpm:127.0.0.1:2321`. @throws {TpmError} `no-tpm` */
export function openTpm(address: string): Promise<TpmLink> {
  const emulator = /^swtpm:(127\.0\.0\.1|\[::1\]|localhost):([0-9]{1,5})$/.exec(address);
  if (emulator !== null) return emulated((emulator[1] ?? '').replace(/[[\]]/g, ''), Number(emulator[2]));
  if (address.startsWith('/dev/')) return resourceManager(address);
  throw new TpmError(
    'no-tpm',
    `${JSON.stringify(address)} is no TPM: give a device like ${DEFAULT_TPM}, or swtpm:127.0.0.1:PORT`,
  );
}

async function resourceManager(path: string): Promise<TpmLink> {
  const file = await open(path, 'r+').catch((cause: NodeJS.ErrnoException) => {
    const advice =
      cause.code === 'EACCES'
        ? 'this user may not use it. Add them to the group that owns it, often `tss`, and sign in again'
        : 'switch the TPM on in the firmware settings, or name another with --tpm';
    throw new TpmError('no-tpm', `${path} cannot be opened (${cause.code}): ${advice}`, { cause });
  });
  return {
    async send(command) {
      await file.write(command);
      const response = Buffer.alloc(MAX_RESPONSE);
      const { bytesRead } = await file.read(response, 0, MAX_RESPONSE, null);
      return whole(response.subarray(0, bytesRead));
    },
    close: () => file.close(),
  };
}

async function emulated(host: string, port: number): Promise<TpmLink> {
  const socket = connect({ host, port, noDelay: true });
  socket.setTimeout(TIME_LIMIT, () => socket.destroy(new Error(`no answer in ${TIME_LIMIT / 1000} s`)));
  await once(socket, 'connect').catch((cause: Error) => {
    throw new TpmError('no-tpm', `no TPM answers at ${host}:${port}: ${cause.message}`, { cause });
  });
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  return {
    async send(command) {
      socket.write(command);
      let response = Buffer.alloc(0);
      while (response.length < HEADER || response.length < response.readUInt32BE(2)) {
        if (response.length > MAX_RESPONSE) break;
        const chunk = (socket.read() as Buffer | null) ?? undefined;
        if (chunk !== undefined) response = Buffer.concat([response, chunk]);
        else if (socket.readableEnded || socket.destroyed) break;
        else await new Promise((resolve) => wake(socket, resolve));
      }
      if (failure !== undefined) throw new TpmError('broken', `the TPM connection broke: ${failure.message}`);
      return whole(response);
    },
    async close() {
      socket.end();
      if (!socket.closed) await once(socket.resume(), 'close');
    },
  };
}

/** Calls once when there is something to read, or nothing will come any more. */
function wake(socket: ReturnType<typeof connect>, done: (value?: unknown) => void): void {
  const events = ['readable', 'end', 'close'] as const;
  const once = (): void => {
    for (const event of events) socket.off(event, once);
    done();
  };
  for (const event of events) socket.on(event, once);
}

function whole(response: Buffer): Buffer {
  if (response.length < HEADER || response.length !== response.readUInt32BE(2)) {
    throw new TpmError('broken', `the TPM answered ${response.length} bytes that are no whole response`);
  }
  return response;
}
