// Answers a web server that asks, for each request, whether its assertion is good (nginx's auth_request). On loopback
// only: whoever may ask learns what an assertion says.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encoded } from '#gateway/edge/identity-headers';
import { ASSERTION_HEADER, type AssertionClaims, AssertionError, type Verify } from '#gateway/pki/verify';
import { describeError } from '#siem/system-error';
import { EXIT } from './exit.ts';

const ASK_TIMEOUT = 5_000;

/** Serves until SIGTERM or SIGINT. */
export async function answerChecks(verify: Verify, at: { host: string; port: number }): Promise<number> {
  const server = createServer((request, response) => void answer(verify, request, response));
  server.requestTimeout = ASK_TIMEOUT;
  try {
    server.listen(at.port, at.host);
    await once(server, 'listening');
  } catch (error) {
    process.stderr.write(`sallyport verify-assertion: cannot listen: ${describeError(error)}\n`);
    return EXIT.no;
  }
  const { port } = server.address() as AddressInfo;
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  process.stdout.write(`checking assertions on ${at.host}:${port}\n`);
  await stopped;
  server.close();
  server.closeAllConnections();
  return EXIT.ok;
}

async function answer(verify: Verify, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const field = (name: string): string | undefined => request.headers[name]?.toString();
  request.resume();
  try {
    const seen = {
      method: field('x-original-method'),
      url: field('x-original-url'),
      certificate: unescaped(field('x-original-certificate')),
    };
    response.writeHead(204, fieldsOf(await verify(field(ASSERTION_HEADER), seen)));
    response.end();
  } catch (error) {
    const code = error instanceof AssertionError ? error.code : 'failed';
    response.writeHead(code === 'keys-unreachable' || code === 'failed' ? 503 : 401, {
      'Content-Type': 'text/plain',
      'X-Sallyport-Reason': code,
    });
    response.end(`${code}\n`);
  }
}

/** PEM as nginx writes it into a header; what is none fits no assertion. */
function unescaped(certificate: string | undefined): string | undefined {
  try {
    return certificate === undefined ? undefined : decodeURIComponent(certificate);
  } catch {
    return '';
  }
}

function fieldsOf({ sub, email, groups = [] }: AssertionClaims): Record<string, string> {
  return {
    'X-Sallyport-Subject': encoded(sub),
    ...(email === undefined ? {} : { 'X-Sallyport-Email': encoded(email) }),
    'X-Sallyport-Groups': groups.map(encoded).join(','),
  };
}
