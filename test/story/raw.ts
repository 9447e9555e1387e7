// A client that sends whatever bytes it is given over TLS, as no honest client would, and reports what came back.
import { connect } from 'node:tls';
import type { StoryInstallation } from './installation.ts';

/** Milliseconds without another byte after which an answer counts as whole, where the connection stays open. */
const SILENCE = 400;
const PATIENCE = 15_000;

export interface RawReply {
  /** Status codes of all responses, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** The gateway closed the connection. */
  readonly closed: boolean;
}

/** Sends `bytes` (text as latin-1) on a connection of its own. `serverName`: the SNI, false for none. `silence`: milliseconds. */
export function sendRaw(
  { ports, ca }: StoryInstallation,
  bytes: string | Buffer,
  serverName: string | false,
  silence: number = SILENCE,
): Promise<RawReply> {
  const { promise, resolve, reject } = Promise.withResolvers<RawReply>();
  const socket = connect({
    host: '127.0.0.1',
    port: ports.people,
    ca,
    // A name that is not served has no certificate to match.
    rejectUnauthorized: false,
    ...(serverName === false ? {} : { servername: serverName }),
  });
  let text = '';
  let timer = setTimeout(() => socket.destroy(new Error('no answer to raw bytes')), PATIENCE);
  const settle = (closed: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
    resolve({ statuses, text, closed });
  };
  socket.once('secureConnect', () =>
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
  );
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    clearTimeout(timer);
    timer = setTimeout(() => settle(false), silence);
  });
  socket.once('close', () => settle(true));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // A reset is a way of closing; our own patience running out is not.
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
  });
  return promise;
}
