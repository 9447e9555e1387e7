// A plain reverse proxy in Node with undici and TLS, as one would write it: what our gateway costs beyond that is ours.
// Run as a process: the port, the app's origin, and the folder of cert.pem and key.pem.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type Dispatcher, Pool } from 'undici';

const [port = '0', app = '', folder = '.'] = process.argv.slice(2);
const pool = new Pool(app, { connections: 128, pipelining: 1 });
const server = createServer({
  cert: readFileSync(join(folder, 'cert.pem')),
  key: readFileSync(join(folder, 'key.pem')),
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
});
server.on('request', (request, response) => {
  const { connection: _hop, ...headers } = request.headers;
  const method = (request.method ?? 'GET') as Dispatcher.HttpMethod;
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  pool
    .stream({ path: request.url ?? '/', method, headers, body }, ({ statusCode, headers: answered }) => {
      const { connection: _hop, 'keep-alive': _life, ...passed } = answered;
      return response.writeHead(statusCode, passed);
    })
    .catch(() => response.destroy());
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
