// A SPIFFE agent for tests: the Workload API on a socket, with protocol buffers written here by hand, so that reader and
// writer share nothing.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { derOf, type Holder, keyPem } from '#test/gateway/identity/service-certificates';

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) + 128);
  }
}

/** A length-delimited field. */
export function field(number: number, ...pieces: readonly (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece as Buffer)));
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** An `X509SVIDResponse` with one SVID, an unknown field, and federated bundles. */
export async function svids(
  id: string,
  chain: readonly Holder[],
  bundle: readonly Holder[],
  federated: Readonly<Record<string, readonly Holder[]>> = {},
): Promise<Buffer> {
  const [leaf] = chain;
  if (leaf === undefined) return Buffer.alloc(0);
  const key = Buffer.from((await keyPem(leaf)).replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const svid = [
    field(1, id),
    field(2, ...chain.map(derOf)),
    field(3, key),
    field(4, ...bundle.map(derOf)),
    field(5, 'hint'),
  ];
  const others = Object.entries(federated).map(([name, cas]) =>
    field(3, field(1, name), field(2, ...cas.map(derOf))),
  );
  return Buffer.concat([field(1, ...svid), ...others, Buffer.from([15 * 8, 1])]);
}

export class WorkloadAgent {
  readonly socket: string;
  /** Calls so far: their path and security header. */
  readonly calls: string[] = [];
  /** Said to whoever asks; a number is a gRPC status. */
  answer: Buffer | number;
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-agent-'));
  readonly #streams = new Set<ServerHttp2Stream>();
  #server: Http2Server | undefined;

  constructor(answer: Buffer | number) {
    this.answer = answer;
    this.socket = join(this.#directory, 'agent.sock');
  }

  async start(): Promise<this> {
    const server = createServer();
    server.on('stream', (one, headers) => {
      const stream = one as ServerHttp2Stream;
      this.calls.push(`${headers[':path']} ${headers['workload.spiffe.io']}`);
      stream.on('error', () => {});
      stream.resume();
      if (typeof this.answer === 'number') {
        const status = { 'grpc-status': String(this.answer), 'grpc-message': 'no' };
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', ...status },
          { endStream: true },
        );
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      this.#streams.add(stream);
      stream.once('close', () => this.#streams.delete(stream));
      this.#write(stream, this.answer);
    });
    rmSync(this.socket, { force: true });
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
    this.#server = server;
    return this;
  }

  /** Sends everybody who listens something new. */
  send(answer: Buffer): void {
    this.answer = answer;
    for (const stream of this.#streams) this.#write(stream, answer);
  }

  #write(stream: ServerHttp2Stream, message: Buffer): void {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    // In two pieces, cut anywhere.
    const whole = Buffer.concat([head, message]);
    stream.write(whole.subarray(0, 7));
    stream.write(whole.subarray(7));
  }

  async stop(): Promise<void> {
    for (const stream of this.#streams) stream.close();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
