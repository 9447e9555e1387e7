// A test bed in one process: a client speaks to a gateway server, which relays through tunnels in memory to the real
// cluster side and a real app. Everything but the WebSocket is as in production.
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { Cluster } from '#connectors/cluster/cluster';
import { DEFAULT_LIMITS, type Limits, VERSIONS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import type { SessionOptions } from '#connectors/wire/session-options';
import type { ForwardHead, Relay, RelayOptions, RelayResult } from '#gateway/tunnel/relay';
import { Tunnels } from '#gateway/tunnel/tunnels';
import { type End, pair } from '#test/connectors/wire/pair';
import { forwardOf } from './forward.ts';

export interface BedConnector {
  readonly session: Session;
  readonly cluster: Cluster;
  /** The connector's end of the line. */
  readonly line: End;
  /** The gateway's end. */
  readonly gatewayLine: End;
}

export interface Bed {
  readonly tunnels: Tunnels;
  readonly gateway: Server;
  readonly port: number;
  readonly url: string;
  /** Results of all relays, as they end. */
  readonly results: RelayResult[];
  readonly relays: Relay[];
  options: RelayOptions;
  /** What is added to each request for the way it takes. */
  bound?: ForwardHead['bound'];
  /** `serve` takes the place of the real cluster side. */
  connect(
    name?: string,
    serve?: SessionOptions['onOpen'],
    certificates?: Readonly<Record<string, string>>,
  ): Promise<BedConnector>;
}

async function listen(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly raw: string[];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: string;
}

/** One request on a connection of its own, to the end. */
export async function ask(
  port: number,
  options: RequestOptions & { body?: string | Buffer },
): Promise<Answer> {
  const req = httpRequest({ host: '127.0.0.1', port, agent: false, ...options });
  req.end(options.body);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const body = await text(res);
  return {
    status: res.statusCode ?? 0,
    headers: res.headers,
    raw: res.rawHeaders,
    trailers: res.trailers,
    body,
  };
}

/** `app`: a listener, a function that attaches to a server, or the URL of an app that runs elsewhere. */
export async function bed(
  t: TestContext,
  app: RequestListener | string | { attach(server: Server): void },
  options: {
    limits?: Partial<Limits>;
    connectors?: number;
    headTimeout?: number;
    clock?: () => number;
    revoked?: (serial: string) => boolean;
  } = {},
): Promise<Bed> {
  const { limits = {}, connectors = 1, headTimeout = 60_000 } = options;
  let url: string;
  if (typeof app === 'string') {
    url = app;
  } else {
    const server = createServer();
    if (typeof app === 'function') server.on('request', app);
    else app.attach(server);
    url = `http://127.0.0.1:${await listen(server)}`;
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  const tunnels = new Tunnels({
    now: Date.now,
    random: () => 0,
    limits,
    ...(options.clock === undefined ? undefined : { clock: options.clock }),
    ...(options.revoked === undefined ? undefined : { revoked: options.revoked }),
    onConnect() {},
    onDisconnect() {},
  });
  const gateway = createServer();
  const sockets = new Set<Socket>();
  const made: BedConnector[] = [];
  const self: Bed = {
    tunnels,
    gateway,
    port: 0,
    url: '',
    results: [],
    relays: [],
    options: {},
    async connect(name = 'one', serve, certificates) {
      const [line, gatewayLine] = pair();
      const cluster = new Cluster({ app: { url, headTimeout } });
      const { promise, resolve } = Promise.withResolvers<void>();
      const all = { ...DEFAULT_LIMITS, ...limits };
      tunnels.carry(gatewayLine, {
        connector: name,
        apps: new Set(['app', 'elsewhere']),
        address: '127.0.0.1',
        serial: Buffer.from(name).toString('hex'),
        key: `key of ${name}`,
      });
      const session: Session = new Session({
        transport: line,
        limits: all,
        budget: { held: 0 },
        clock: () => performance.now(),
        greeting: {
          hello: {
            versions: VERSIONS,
            window: all.window,
            streams: all.streams,
            apps: ['app', 'elsewhere'],
            instance: name,
            software: 'test',
            certificates,
          },
        },
        onReady: () => resolve(),
        onOpen: serve ?? ((stream, request, fin) => cluster.serving.open(stream, request, fin)),
        onGoaway() {},
        onClose() {},
      });
      const connector = { session, cluster, line, gatewayLine };
      made.push(connector);
      await promise;
      return connector;
    },
  };
  const forward = (req: IncomingMessage): ForwardHead => {
    const { bound } = self;
    return { ...forwardOf(req), ...(bound === undefined ? {} : { bound }) };
  };
  const settle = (relay: Relay, onFailed: (result: RelayResult) => void): void => {
    self.relays.push(relay);
    void relay.done.then((result) => {
      self.results.push(result);
      if (!result.headSent && result.outcome === 'failed') onFailed(result);
    });
  };
  const relay = (req: IncomingMessage, res: ServerResponse, expectContinue: boolean): void => {
    const id = req.headers['x-app'] === undefined ? 'app' : String(req.headers['x-app']);
    settle(tunnels.relay(id, req, res, forward(req), { ...self.options, expectContinue }), (result) => {
      res.writeHead(result.failure === 'app-timeout' ? 504 : 502).end(result.failure);
    });
  };
  gateway.on('request', (req, res) => relay(req, res, false));
  gateway.on('checkContinue', (req, res) => relay(req, res, true));
  gateway.on('upgrade', (req, socket, head) => {
    settle(tunnels.upgrade('app', req, socket, head, forward(req), self.options), (result) => {
      socket.end(`HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nX-Failure: ${result.failure}\r\n\r\n`);
    });
  });
  gateway.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(gateway);
  for (let i = 0; i < connectors; i++) await self.connect(`c${i}`);
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    gateway.close();
    await tunnels.drain(0);
    await Promise.all(made.map(({ cluster }) => cluster.close()));
  });
  return Object.assign(self, { port, url: `http://127.0.0.1:${port}` });
}
