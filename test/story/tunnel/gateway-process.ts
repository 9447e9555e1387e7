// A gateway for stories of the data plane, as a process of its own: the real connectors' listener, enrolment and
// tunnels, and a plain HTTP listener that relays everything to the app `app`. Commands come as lines on stdin.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Relay, RelayResult } from '#gateway/tunnel/relay';
import { Tunnels } from '#gateway/tunnel/tunnels';
import { forwardOf } from '#test/gateway/tunnel/forward';

const [state = '', port = '0', life = '3600000', scheme = 'http'] = process.argv.slice(2);
const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

const authority = await openAuthority(`${state}/ca`, 'Test connectors', Date.now);
const store = openEmbeddedStore(state, Date.now);
const trustDomain = 'sallyport.test';
const desk = new EnrolmentDesk({
  store,
  authority,
  trustDomain,
  certificateLife: Number(life),
  now: Date.now,
});
const tunnels = new Tunnels({
  now: Date.now,
  random: Math.random,
  onConnect: ({ connector, serial }) => say({ connected: connector, serial }),
  onDisconnect: ({ connector }, reason) => say({ disconnected: connector, reason }),
});
const { cert, key } = await issueCertificate(authority, ['localhost', '127.0.0.1']);
const connectors = connectorsListener(
  { cert, key },
  { connections: 1000, perAddress: 1000 },
  {
    ...{ desk, authority, trustDomain, accepts: new Accepts(500, Date.now) },
    connected: (ws, { name, certificate, client }) =>
      tunnels.accept(ws, {
        connector: name,
        apps: new Set(['app']),
        address: client.address,
        serial: certificate.serial,
      }),
    async record() {},
    async refused() {},
  },
);
const people = scheme === 'https' ? createTlsServer({ cert, key }) : createServer();
const ended = (relay: Relay, refuse: (result: RelayResult) => void): void => {
  void relay.done.then((result) => {
    if (!result.headSent && result.outcome === 'failed') refuse(result);
    if (result.outcome !== 'completed') say({ ended: result });
  });
};
people.on('request', (req, res) => {
  ended(tunnels.relay('app', req, res, forwardOf(req)), ({ failure }) => res.writeHead(502).end(failure));
});
people.on('upgrade', (req, socket, head) => {
  ended(tunnels.upgrade('app', req, socket, head, forwardOf(req)), () => socket.destroy());
});
connectors.listen(Number(port), '127.0.0.1', () => {
  people.listen(0, '127.0.0.1', () => {
    say({
      certificate: { cert, key },
      people: (people.address() as AddressInfo).port,
      connectors: (connectors.address() as AddressInfo).port,
    });
  });
});

// A parent that is gone leaves no gateway behind.
const commands = createInterface(process.stdin).on('close', () => process.exit(0));
commands.on('line', async (line) => {
  const [command, argument = ''] = line.split(' ');
  if (command === 'token') say({ token: (await desk.createToken(argument, 600_000, 'test')).token });
  if (command === 'status') say({ status: tunnels.connectors() });
  if (command === 'drain') {
    connectors.close();
    await tunnels.drain(Number(argument));
    say({ drained: true });
  }
});
