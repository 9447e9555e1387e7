// Certificates that come to their end: one in files is warned of, renewed without a drop, and refused at a start; a
// connector's is refused, and says what to do.
import { globSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { openAuthority } from '#gateway/pki/authority';
import type { Scope } from '#test/contract/redis';
import { until } from '#test/story/part';
import type { Finding } from '../report.ts';
import { Fleet } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';

const LIFE = 20 * 86_400_000;
const FAKETIME = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

/** A clock that all processes of a fleet go by, and that can be set. */
function settable(scope: Scope): { env: Readonly<Record<string, string>>; set: (offset: string) => void } {
  if (FAKETIME === undefined) throw new Error('faketime not found, run npm run test:deps');
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-clock-'));
  scope.after(async () => rmSync(directory, { recursive: true }));
  const file = join(directory, 'offset');
  const set = (offset: string): void => writeFileSync(file, `${offset}\n`);
  set('+0');
  return {
    set,
    env: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  };
}

/** A connector whose certificate ended before it could renew it, for example because it was cut off for a day. */
export async function connectorExpired(scope: Scope): Promise<Finding> {
  const { env, set } = settable(scope);
  const fleet = await Fleet.start(scope, { env });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const { cookie } = await fleet.signIn();
  const before = (await gateway.app(cookie)).status;
  const connected = (): number =>
    gateway.events().filter(({ event }) => event.action === 'connector-connected').length;
  const tunnels = connected();
  // It hangs through the day in which it would have renewed.
  gateway.connector?.signal('SIGSTOP');
  set('+2d');
  const from = performance.now();
  const lost = await until('its tunnel is cut', () =>
    gateway.events().find(({ event }) => event.action === 'connector-disconnected'),
  );
  const cut = performance.now() - from;
  // With a certificate of its own that is good now.
  await gateway.part.stop();
  await gateway.start();
  gateway.connector?.signal('SIGCONT');
  const refused = await until('it is refused', () =>
    gateway
      .events()
      .find(({ event }) => event.code === 'certificate-expired' && event.action === 'connector-refused'),
  );
  const advice = await until('it says what to do', () =>
    /it ran out at \S+: make a token[^\n]*--token-file FILE/.exec(gateway.connector?.output ?? ''),
  );
  await gateway.connector?.stop();
  gateway.startConnector();
  await until('it says so when it starts, too', () =>
    /the certificate ran out at [^\n]*--token-file FILE/.exec(gateway.connector?.output ?? ''),
  );
  await gateway.connector?.stop();
  const again = connected() - tunnels;
  await gateway.connect();
  const admitted = connected() - tunnels;
  return {
    required: 'its tunnel is cut, it is refused by name and says what to do; a new token admits it',
    measured: `app ${before}; cut after ${Math.round(cut)} ms (${lost.event.code}); refused: ${refused.message}, ${again} tunnels; it said "${advice[0].slice(0, 24)} …"; with a new token: ${admitted} tunnels`,
    held:
      before === 200 &&
      lost.event.code === 'certificate-expired' &&
      /^rack-1 was refused/.test(refused.message) &&
      again === 0 &&
      admitted > 0,
  };
}

export async function expired(scope: Scope): Promise<Finding> {
  const { env, set } = settable(scope);
  const fleet = await Fleet.start(scope, {
    further: 'tls: { certificate: ./people.pem, key: ./people.key }\n',
    prepare: issue,
    env,
  });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const warned = (days: number): Promise<unknown> =>
    until(`a warning of ${days} days`, () =>
      gateway.events().some(({ event }) => event.code === `within-${days}-days`),
    );
  await warned(30);
  const { cookie } = await fleet.signIn();
  const stream = await gateway.stream(cookie);
  let dropped = false;
  void stream.ended.then(() => {
    dropped = true;
  });
  const before = await serialAt(fleet, gateway);
  await issue(gateway.directory);
  await until('another certificate is shown', async () => (await serialAt(fleet, gateway)) !== before);
  const renewed = !dropped && (await gateway.app(cookie)).status === 200;
  stream.close();

  set('+14d');
  await warned(7);
  set('+19.5d');
  await warned(1);
  await gateway.part.stop();
  set('+21d');
  const start = await gateway.command('gateway');
  const said = /has expired on \S+: renew it/.exec(start.output)?.[0] ?? start.output.slice(-200);
  return {
    required: 'warned of 30, 7 and 1 days before; renewed without a drop; refused once it has ended',
    measured: `warned 30, 7, 1; renewed under an open stream: ${renewed}; a start with an ended one exits ${start.code}, "${said}"`,
    held: renewed && start.code === 1 && said.startsWith('has expired'),
  };
}

/** Another certificate for people, in the files that the configuration names. */
async function issue(directory: string): Promise<void> {
  const authority = await openAuthority(join(directory, 'state/development-ca'), 'Fleet', Date.now);
  const { certificate, key } = await authority.issueServer(['access.localhost', 'wiki.localhost'], LIFE);
  const pem = join(directory, 'people.pem');
  writeFileSync(pem, certificate + authority.certificate);
  writeFileSync(join(directory, 'people.key'), key, { mode: 0o600 });
  // Written twice within a tick of the file system it would look unchanged.
  const now = Date.now() / 1000;
  utimesSync(pem, now, now + Math.random());
}

function serialAt(fleet: Fleet, { address }: FleetGateway): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: address, port: fleet.people, servername: 'wiki.localhost', ca: fleet.ca },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}
