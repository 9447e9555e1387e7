// A certificate in files that comes to its end: it is warned of, renewed without a drop, and refused at a start.
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

export async function expired(scope: Scope): Promise<Finding> {
  if (FAKETIME === undefined) throw new Error('faketime not found, run npm run test:deps');
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-clock-'));
  scope.after(async () => rmSync(directory, { recursive: true }));
  const clock = join(directory, 'offset');
  writeFileSync(clock, '+0\n');
  const fleet = await Fleet.start(scope, {
    further: 'tls: { certificate: ./people.pem, key: ./people.key }\n',
    prepare: issue,
    env: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
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

  writeFileSync(clock, '+14d\n');
  await warned(7);
  writeFileSync(clock, '+19.5d\n');
  await warned(1);
  await gateway.part.stop();
  writeFileSync(clock, '+21d\n');
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
