// One gateway that is two workers, run by admins who sign what they ask, under changes that are signed: what is asked is
// answered once, what is changed is changed at both, and a worker that was away meanwhile comes back to it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { sshSign } from '#bin/ssh-keygen';
import { readChange, writeBundle } from '#gateway/change/bundle';
import { ADMIN_NAMESPACE, textToSign } from '#gateway/console/signed-request';
import { documentHash } from '#policy/policy';
import { REDIS_NEEDS } from '#test/contract/redis';
import { ChangeBed, NEEDS as GIT, publicKey, REPOSITORY } from '#test/gateway/change/bed';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { eventsIn, faultsOf } from '#test/story/record';
import { stepsOf } from '#test/story/steps';
import { POLICY } from './state/documents.ts';
import { askAnew, outboxOf, pidOf, twoWorkers } from './state/workers.ts';

const KEY = 'SALLYPORT_ADMIN_KEY';
const GOVERNED = `changes:
  signers: ./allowed_signers
  repository: ${REPOSITORY}
  branch: main
  bundle: ./change.json
admin:
  signers: ./admins
  roles: { viewer: [cleo], operator: [ada], policy-admin: [ada], ca-admin: [ben] }
  breakGlass: { accounts: [glass], lasts: 5m }
`;
/** Nobody reads the wiki. */
const CLOSED = POLICY.replace('who: staff', 'who: nobody').replace(
  'groups: {',
  'groups: { nobody: { members: ["corp:nobody"] },',
);

test('two workers answer signed requests once, and go by what was signed last', {
  skip: requires(...REDIS_NEEDS, ...GIT),
  timeout: 400_000,
}, async (t) => {
  t.after(() => {
    delete process.env[KEY];
  });
  let bed!: ChangeBed;
  let signer = '';
  const keys = new Map<string, string>();
  const { fleet, gateway } = await twoWorkers(t, {
    further: GOVERNED,
    prepare: (directory) => {
      bed = new ChangeBed(directory, '.');
      signer = bed.signer('zoe');
      for (const name of ['ada', 'ben', 'cleo', 'glass']) keys.set(name, bed.key(name));
      bed.write('admins', [...keys].map(([name, key]) => `${name} ${publicKey(key)}\n`).join(''));
      bed.init();
      bed.git('add', 'admins');
      bed.git('commit', '-q', '-m', 'admins');
      bed.write('change.json', writeBundle(bed.change([signer])));
      process.env[KEY] = keys.get('ben');
    },
  });
  const step = stepsOf(t);
  const as = (who: string, ...args: readonly string[]): ReturnType<typeof gateway.command> => {
    process.env[KEY] = keys.get(who);
    return gateway.command(...args);
  };
  const changeOf = (worker: number): string =>
    readChange(readFileSync(join(gateway.directory, `state/worker-${worker}/changes/current.json`), 'utf8'))
      .id;
  const both = <T>(of: (worker: number) => T): [T, T] => [of(1), of(2)];
  const { cookie } = await fleet.signIn();
  const reads = async (status: number): Promise<void> => {
    for (let again = 0; again < 8; again += 1) assert.equal(await askAnew(fleet, gateway, cookie), status);
  };
  /** Hashes of what the workers decide by. */
  const policies = async (): Promise<readonly string[]> => {
    const { workers } = JSON.parse((await as('cleo', 'status', '--json')).output);
    return workers.map(({ policy }: { policy: string }) => policy);
  };
  const restarts = async (): Promise<number> =>
    (await gateway.metric('sallyport_worker_restarts_total')) ?? 0;
  const killed = async (worker: number): Promise<void> => {
    const before = await restarts();
    const pid = await until('the worker is there', () => pidOf(gateway, worker));
    process.kill(pid, 'SIGKILL');
    await until('its supervisor has noticed', async () => (await restarts()) > before);
  };
  const bothServe = (): Promise<unknown> =>
    until('both serve', async () => (await gateway.metric('sallyport_worker_up')) === 2);
  /** The same signed request as often as it is called; the answer's status and code. */
  const signed = (who: string, method: string, path: string): (() => Promise<string>) => {
    const [at, nonce, body] = [new Date().toISOString(), `${path} ${Math.random()}`, ''];
    const name = 'access.localhost/gateway-0';
    const text = textToSign({ gateway: name, method, target: path, body, at, nonce });
    const armour = sshSign(keys.get(who) ?? '', ADMIN_NAMESPACE, text);
    const headers = {
      'sallyport-signature': armour.trim().split('\n').slice(1, -1).join(''),
      ...{ 'sallyport-signed-at': at, 'sallyport-nonce': nonce, 'sallyport-round': 'mine' },
    };
    const socketPath = join(gateway.directory, 'state/admin.sock');
    return () =>
      new Promise((resolve, reject) => {
        const call = request({ socketPath, method, path, headers }, (reply) => {
          let answer = '';
          reply.setEncoding('utf8').on('data', (chunk: string) => {
            answer += chunk;
          });
          reply.on('end', () => resolve(`${reply.statusCode} ${JSON.parse(answer).error ?? ''}`.trim()));
        });
        call.on('error', reject).end();
      });
  };

  await step('a signed request is answered once, whichever worker it comes to', async () => {
    const [one, all] = [signed('ada', 'GET', '/v1/sessions'), signed('cleo', 'GET', '/v1/status')];
    assert.deepEqual([await all(), await all()], ['200', '401 signature-replayed']);
    assert.deepEqual([await one(), await one()], ['200', '401 signature-replayed']);
    const reload = signed('ada', 'POST', '/v1/policy/reload');
    assert.equal(await reload(), '200');
    await killed(1);
    // The other one, and the first after it was started again, know of it as well.
    for (const asked of [one, all, reload]) assert.equal(await asked(), '401 signature-replayed');
    await bothServe();
    for (const asked of [one, all, reload]) assert.equal(await asked(), '401 signature-replayed');
  });

  const first = readChange(bed.read('change.json'));
  await step('a change is in force at both workers, and one that is not signed at neither', async () => {
    await reads(200);
    bed.commit(CLOSED);
    const inForce = { id: first.id, sequence: 1 };
    bed.write('unsigned.json', writeBundle(bed.change([], inForce)));
    assert.equal((await as('ada', 'change', 'apply', 'unsigned.json')).code, 1);
    assert.deepEqual(both(changeOf), [first.id, first.id]);
    await reads(200);
    bed.write('closed.json', writeBundle(bed.change([signer], inForce)));
    const forbidden = await as('cleo', 'change', 'apply', 'closed.json');
    assert.match(forbidden.output, /none of your roles may do that/);
    const applied = await as('ada', 'change', 'apply', 'closed.json');
    assert.equal(applied.code, 0, applied.output);
    const { id } = readChange(bed.read('closed.json'));
    assert.deepEqual(both(changeOf), [id, id]);
    await reads(403);
  });

  await step('a worker that was away takes up what it missed', async () => {
    const second = readChange(bed.read('closed.json'));
    bed.commit(`${POLICY}# open again\n`);
    bed.write('open.json', writeBundle(bed.change([signer], { id: second.id, sequence: 2 })));
    process.env[KEY] = keys.get('ada');
    const applying = gateway.command('change', 'apply', 'open.json');
    await killed(2);
    const { code, output } = await applying;
    assert.equal(code, 0, output);
    await bothServe();
    const { id } = readChange(bed.read('open.json'));
    await until('both have it', () => both(changeOf).every((one) => one === id));
    // One that serves already loads the policy of a change once it has kept it, and reads may all go to the other one.
    const open = documentHash(`${POLICY}# open again\n`);
    await until('both decide by it', async () => (await policies()).every((hash) => hash === open));
    await reads(200);
  });

  await step('a signal reaches both: neither takes an edit that nobody signed', async () => {
    const refusals = (): [number, number] =>
      both(
        (worker) =>
          eventsIn(outboxOf(gateway, worker)).filter(({ event }) => event.action === 'change-refused').length,
      );
    const before = refusals();
    bed.write('policy.yaml', CLOSED);
    gateway.part.signal('SIGHUP');
    await until('both say so', () => refusals().every((count, index) => count > (before[index] ?? 0)));
    await reads(200);
    bed.write('policy.yaml', `${POLICY}# open again\n`);
  });

  await step(
    'an account for emergencies is opened once for both, also for one that is started later',
    async () => {
      assert.match((await as('glass', 'sessions')).output, /the account is sealed/);
      const opened = await as('glass', 'admin', 'break-glass', '--reason', 'nobody can be reached');
      assert.equal(opened.code, 0, opened.output);
      await killed(1);
      assert.equal((await as('glass', 'sessions')).code, 0, 'at the other worker');
      await bothServe();
      assert.equal((await as('glass', 'sessions')).code, 0, 'at the one that was started again');
      assert.match(
        (await as('glass', 'admin', 'break-glass', '--reason', 'again')).output,
        /closed for good/,
      );
    },
  );

  await step('drills and revocations take both', async () => {
    const drilled = await as('ada', 'drill', 'clock', '--seconds', '3', '--json');
    assert.equal(drilled.code, 0, drilled.output);
    for (const worker of [1, 2])
      assert.match(drilled.output, new RegExp(`worker ${worker}: `), 'both rehearsed it');
    const revoked = await as('ada', 'revoke', 'person', 'ada@example.com');
    assert.equal(revoked.code, 0, revoked.output);
    await reads(401);
  });

  await step('each worker’s logs fit, and the record has no fault', async () => {
    const which = await as('cleo', 'audit', 'verify');
    assert.match(which.output, /each worker has logs of its own: give --state/);
    for (const worker of [1, 2]) {
      const audit = await as('cleo', 'audit', 'verify', '--state', `state/worker-${worker}`);
      assert.equal(audit.code, 0, audit.output);
    }
    const { code } = await gateway.part.stop();
    assert.equal(code, 0, gateway.part.output);
    for (const worker of [1, 2]) assert.deepEqual(faultsOf(outboxOf(gateway, worker)), []);
  });
});
