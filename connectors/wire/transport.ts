// What carries a session's bytes: a WebSocket in production. It must keep their order and never copy or inspect them.
import type WebSocket from 'ws';
import { POOL } from './limits.ts';

Buffer.poolSize = POOL;

/** An ordered, reliable pipe of bytes whose cuts between `send` calls mean nothing. */
export interface Transport {
  /** Takes ownership of the bytes: a masking WebSocket changes them in place. */
  send(bytes: Buffer): void;
  /** Bytes accepted and not yet handed to the kernel. */
  readonly backlog: number;
  /** Orderly end, after what was sent. */
  close(): void;
  /** At once. */
  terminate(): void;
  /** Called once by the session. `onClose` comes exactly once, whoever closed; `why` is for logs. */
  attach(onBytes: (bytes: Buffer) => void, onClose: (why: string) => void): void;
}

/** A session's transport over an open WebSocket. Text messages are refused. */
export function overWebSocket(ws: WebSocket): Transport {
  return {
    send: (bytes) => ws.send(bytes),
    get backlog() {
      return ws.bufferedAmount;
    },
    close: () => ws.close(1000),
    terminate: () => ws.terminate(),
    attach(onBytes, onClose) {
      let error: string | undefined;
      ws.on('message', (data: Buffer, binary: boolean) => {
        if (binary) onBytes(data);
        else ws.terminate();
      });
      ws.on('error', (cause: Error) => {
        error = cause.message;
      });
      ws.once('close', (code: number) => onClose(error ?? `closed (${code})`));
    },
  };
}
