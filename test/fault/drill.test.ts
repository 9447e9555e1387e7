// Every fault that can be rehearsed, rehearsed by the command on a running gateway with people on it: what it reports
// is what they saw, it ends by itself, and both ends are in the record.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillReport } from '#gateway/console/drill';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { until } from '#test/story/part';
import type { Recorded } from '#test/story/record';
import { Fleet } from './state/fleet.ts';
import type { FleetGateway } from './state/fleet-gateway.ts';

const SECONDS = 3;

/** A gateway with a certificate in files and a sink. */
async function start(t: TestContext): Promise<{ fleet: Fleet; gateway: FleetGateway }> {
  const fleet = await Fleet.start(t, {
    further: `tls: { certificate: ./people.pem, key: ./people.key }
siem: { sinks: [{ name: soc, type: files, path: ./shipped.jsonl }] }
`,
    prepare: async (directory) => {
      const authority = await openAuthority(join(directory, 'state/development-ca'), 'Fleet', Date.now);
      const { cert, key } = await issueCertificate(authority, ['access.localhost', 'wiki.localhost']);
      writeFileSync(join(directory, 'people.pem'), cert);
      writeFileSync(join(directory, 'people.key'), key, { mode: 0o600 });
    },
  });
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  return { fleet, gateway };
}

interface Drilled {
  readonly report: DrillReport;
  /** Statuses of the app, and of the beginning of a sign-in, while it lasted. */
  readonly app: readonly number[];
  readonly signIn: readonly number[];
}

async function drill(gateway: FleetGateway, cookie: string, ...args: readonly string[]): Promise<Drilled> {
  let over = false;
  const app: number[] = [];
  const signIn: number[] = [];
  const drilled = gateway.command('drill', ...args, '--json').finally(() => {
    over = true;
  });
  const from = await until('it has begun', () => (over ? Number.POSITIVE_INFINITY : begun(gateway, args[0])));
  // The record comes first; and what is answered before the time is over was answered while it lasted, however long
  // this process took to see that it began.
  await sleep(300);
  const ask = async (answers: number[], asked: Promise<{ readonly status: number }>): Promise<void> => {
    const { status } = await asked;
    if (Date.now() < from + SECONDS * 1_000) answers.push(status);
  };
  while (!over && Date.now() < from + SECONDS * 1_000) {
    await ask(app, gateway.app(cookie));
    await ask(signIn, gateway.signIn());
    await sleep(100);
  }
  const { code, output } = await drilled;
  assert.equal(code, 0, output);
  return { report: JSON.parse(output), app, signIn };
}

/** When it was recorded that it begins, epoch milliseconds; undefined before. */
function begun(gateway: FleetGateway, fault: string | undefined): number | undefined {
  const started = gateway
    .events()
    .find(({ event }) => event.action === 'drill-started' && event.code === fault);
  return started && Date.parse(started['@timestamp']);
}

const all = (statuses: readonly number[], status: number): boolean =>
  statuses.length > 0 && statuses.every((one) => one === status);

test('every drill reports what people see, and ends', { timeout: 240_000 }, async (t) => {
  const { fleet, gateway } = await start(t);
  const { cookie } = await fleet.signIn();
  const of = (action: string): Recorded[] => gateway.events().filter(({ event }) => event.action === action);
  const seconds = ['--seconds', String(SECONDS)];

  const idp = await drill(gateway, cookie, 'idp', ...seconds);
  assert.ok(all(idp.app, 200) && all(idp.signIn, 503), JSON.stringify(idp));

  const siem = await drill(gateway, cookie, 'siem', ...seconds);
  assert.ok(all(siem.app, 200), JSON.stringify(siem));
  assert.match(siem.report.findings[0]?.seen ?? '', /^soc: [1-9]\d* bytes$/);

  const clock = await drill(gateway, cookie, 'clock', ...seconds);
  assert.ok(all(clock.app, 200), JSON.stringify(clock));
  assert.match(clock.report.ailments[0] ?? '', /set back by (299|300) s/);

  const reached = fleet.reached.length;
  const disk = await drill(gateway, cookie, 'disk', ...seconds);
  assert.ok(all(disk.app, 503), JSON.stringify(disk));
  assert.equal(fleet.reached.length, reached, 'nothing reached the app');
  assert.equal(disk.report.allowed, 0);
  await until('the time without a record is in the record', () => of('recording-interrupted').length === 1);

  const policy = await drill(gateway, cookie, 'policy', ...seconds);
  assert.ok(all(policy.app, 200), JSON.stringify(policy));
  assert.equal(of('policy-rejected').length, 1);

  const certificate = await drill(gateway, cookie, 'certificate', ...seconds);
  assert.ok(all(certificate.app, 200), JSON.stringify(certificate));
  assert.deepEqual(
    of('certificate-expiring')
      .slice(-3)
      .map(({ event }) => event.code),
    ['within-30-days', 'within-7-days', 'within-1-days'],
  );

  const refused = await gateway.command('drill', 'connector', ...seconds, '--connector', 'rack-1');
  assert.equal(refused.code, 1);
  assert.match(refused.output, /nobody else serves wiki.*--alone/);
  const alone = ['--connector', 'rack-1', '--alone'];
  const connector = await drill(gateway, cookie, 'connector', ...seconds, ...alone);
  assert.ok(all(connector.app, 502), JSON.stringify(connector));
  assert.equal((await gateway.app(cookie)).status, 200, 'it is back');

  const ended = of('drill-ended');
  assert.deepEqual(
    ended.map(({ event }) => event.code),
    ['idp', 'siem', 'clock', 'disk', 'policy', 'certificate', 'connector'],
  );
  assert.equal(of('drill-started').length, ended.length);
  assert.deepEqual(await gateway.ready(), { ready: true, ailments: [], warnings: [] });
});

test('a drill is refused when it would prove nothing, and one at a time', { timeout: 120_000 }, async (t) => {
  const fleet = await Fleet.start(t);
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const { code, output } = await gateway.command('drill', ...args);
    assert.ok(code === 1 || code === 2, output);
    return output;
  };
  assert.match(await refusal('siem'), /the configuration has no sinks/);
  assert.match(await refusal('certificate'), /which renews it by itself/);
  assert.match(await refusal('earthquake'), /FAULT is one of state, idp/);
  assert.match(await refusal('disk', '--connector', 'rack-1'), /belongs to `sallyport drill connector`/);
  assert.match(await refusal('state', '--seconds', '5'), /expected 6 to 60/);
  assert.match(await refusal('connector', '--connector', 'rack-7'), /no tunnel of a connector "rack-7"/);
  const first = gateway.command('drill', 'clock', '--seconds', '5');
  await until('it has begun', () => begun(gateway, 'clock'));
  assert.match(await refusal('disk'), /another drill is running/);
  assert.equal((await first).code, 0);
  await fleet.stopProvider();
  await gateway.part.stop();
  await gateway.start();
  assert.match(await refusal('idp'), /not well as it is: corp: 503 provider-unreachable/);
});
