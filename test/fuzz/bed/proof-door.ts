// The address /v1/key-proof as the listener for connectors answers it, without TLS below, and what it refused.
import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KeyProofs } from '#gateway/attest/key-proof';
import { type EnrolmentHandlers, offerProof } from '#gateway/edge/connector-enrolment';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export class ProofDoor {
  refused = 0;
  recorded = 0;
  readonly #server: Server;
  readonly #agent: Agent;

  private constructor(keyProofs: KeyProofs, atOnce: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: atOnce });
    const handlers = {
      keyProofs,
      refused: async () => {
        this.recorded += 1;
      },
    } as unknown as EnrolmentHandlers;
    this.#server = createServer((asked, response) => {
      offerProof(asked, response, handlers).catch((error: unknown) => {
        response.writeHead(503, { Connection: 'close' }).end(String(error));
      });
    });
  }

  /** `atOnce`: connections. */
  static async open(keyProofs: KeyProofs, atOnce: number): Promise<ProofDoor> {
    const door = new ProofDoor(keyProofs, atOnce);
    door.#server.listen(0, '127.0.0.1');
    await once(door.#server, 'listening');
    return door;
  }

  async ask(text: string): Promise<Reply> {
    const { port } = this.#server.address() as AddressInfo;
    const reply = await new Promise<Reply>((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', method: 'POST', agent: this.#agent }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          body += piece;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.once('error', reject);
      });
      // What is over the limit is answered while it still comes.
      asked.on('error', () => resolve({ status: 400, body: '{"error":"cut"}' }));
      asked.end(text);
    });
    if (reply.status !== 201) this.refused += 1;
    return reply;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
