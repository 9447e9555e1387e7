// The storage service of the walk, a process of its own: takes requests over mutual TLS, and authorises both the
// service that asks and the person in whose name it does, whatever anybody before it has allowed.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { ASSERTION_HEADER, AssertionError } from '#gateway/pki/verify';
import { type ProcessConfig, verifierOf } from './back-end.ts';

interface StorageConfig extends ProcessConfig {
  readonly services: readonly string[];
  readonly people: readonly string[];
}

const config: StorageConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const verify = verifierOf(config, 'storage');

const server = createServer(
  { ...config.tls, requestCert: true, rejectUnauthorized: true },
  async ({ headers, socket }, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const assertion = headers[ASSERTION_HEADER]?.toString();
    const certificate = (socket as TLSSocket).getPeerX509Certificate();
    try {
      const claims = await verify(assertion, { certificate });
      // The gateway itself acted last, and for it the service.
      const service = claims.act?.act?.sub ?? '';
      if (!config.services.includes(service)) return send(403, { code: 'service-not-permitted' });
      if (!config.people.includes(claims.email ?? '')) return send(403, { code: 'person-not-permitted' });
      const { traceparent } = headers;
      return send(200, { records: ['one', 'two'], claims, assertion, traceparent });
    } catch (error) {
      const code = error instanceof AssertionError ? error.code : String(error);
      return send(401, { code });
    }
  },
);
server.listen(config.port, '127.0.0.1', () => process.stdout.write('storage ready\n'));
process.once('SIGTERM', () => process.exit(0));
