// The walk of BeyondProd: a person's request goes through a front end to a storage service, and six checks stand in its
// way. All hold at once; with each one broken the request is denied, for that reason and no other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, fetch } from 'undici';
import type { Visitor } from '#bin/demo/visitor';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import type { AssertionClaims } from '#gateway/pki/verify';
import { requires } from '../../requires.ts';
import { CHROMIUM, Person } from '../browser.ts';
import { NEEDS } from '../installation.ts';
import type { Recorded } from '../record.ts';
import { stepsOf } from '../steps.ts';
import { FRONT, startWalk } from './walk.ts';

type Event = Recorded & {
  readonly trace?: { readonly id: string };
  readonly sallyport?: { readonly acting?: { readonly chain?: string[]; readonly person?: { id: string } } };
};

/** Promised of a revocation, in milliseconds. */
const REVOKED_WITHIN = 2_000;

interface Hop {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Walked {
  readonly status: number;
  readonly txn?: string;
  readonly exchange?: Hop;
  readonly storage?: Hop;
}

test('the walk: six checks, and each one broken denies for its own reason', {
  skip: requires(...NEEDS, CHROMIUM),
}, async (t) => {
  const step = stepsOf(t);
  const walk = await startWalk(t);
  const { installation } = walk;
  const front = installation.originOf('front');
  const events = (): Event[] => installation.events() as Event[];
  const people = new Map<string, Visitor>();

  async function personCalled(name: string): Promise<Visitor> {
    const known = people.get(name);
    if (known !== undefined) return known;
    const visitor = installation.visitor();
    people.set(name, visitor);
    await visitor.signIn(`${front}/`, name, 'password');
    return visitor;
  }

  async function ask(visitor: Visitor, query = ''): Promise<Walked> {
    const { status, body } = await visitor.ask(`${front}/records${query}`);
    return { status, ...(JSON.parse(body) as object) };
  }

  const broken: string[] = [];
  /** One check broken: the reason is in the SIEM too. */
  const denies = (check: string, reason: string): void => {
    const last = events().findLast(({ event }) => event.code === reason);
    assert.ok(last !== undefined, `the SIEM has an event with the code ${reason}`);
    broken.push(`${check}: denied when broken, ${reason} (${last.event.action})`);
  };

  await step('with a browser: the page of the front end holds what storage keeps', async () => {
    const person = await Person.sitDown(installation);
    await person.page.goto(`${front}/records`);
    const { page } = person;
    await page.goto(`${page.url()}?person=ada&way=password`);
    const walked = JSON.parse((await page.textContent('body')) ?? '{}') as Walked;
    assert.deepEqual(walked.storage?.body['records'], ['one', 'two']);
  });

  await step('all six hold: one transaction and one trace from the browser to storage', async () => {
    const ada = await personCalled('ada');
    const before = events().length;
    const walked = await ask(ada);
    assert.deepEqual([walked.status, walked.exchange?.status, walked.storage?.status], [200, 200, 200]);
    const claims = walked.storage?.body['claims'] as AssertionClaims;
    assert.equal(claims.email, 'ada@example.com');
    assert.equal(claims.act?.act?.sub, FRONT);
    assert.deepEqual([claims.act?.sub, claims.act?.act?.act?.sub], Array(2).fill(claims.act?.sub));
    assert.equal(claims.txn, walked.txn);
    assert.equal(claims['scope'], 'GET');
    const hops = events()
      .slice(before)
      .filter(({ trace }) => trace !== undefined);
    const [trace] = hops.map((one) => one.trace?.id);
    const along = hops.filter((one) => one.trace?.id === trace && one.event.action !== 'stream-closed');
    assert.deepEqual(
      along.map(
        ({ event, sallyport, user }) =>
          `${event.action} ${sallyport?.app?.id} ${user?.id === FRONT ? 'service' : 'person'}`,
      ),
      [
        'access-allowed front person',
        'access-allowed storage service',
        'access-allowed storage person',
        'token-exchanged storage service',
        'access-allowed storage service',
        'access-allowed storage person',
      ],
    );
    assert.ok(
      String(walked.storage?.body['traceparent']).includes(String(trace)),
      'storage is told the trace too',
    );
    const acting = along.at(-1)?.sallyport?.acting;
    assert.equal(acting?.chain?.[0], FRONT);
  });

  await step('1. the person: nobody is signed in', async () => {
    const { status, body } = await installation.visitor().ask(`${front}/records`);
    assert.deepEqual([status, JSON.parse(body).error], [401, 'not-signed-in']);
    denies('1 the person is signed in', 'not-signed-in');
  });

  await step('2. the front end: another program in its place is not it', async () => {
    const ada = await personCalled('ada');
    const foreign = await ask(ada, '?identity=foreign');
    assert.deepEqual([foreign.exchange?.status, foreign.exchange?.body['error']], [401, 'invalid_client']);
    assert.equal(foreign.exchange?.body['reason'], 'certificate-chain');
    denies('2 the front end is who it says', 'certificate-chain');
    const batch = await ask(ada, '?identity=batch');
    assert.equal(
      batch.exchange?.body['reason'],
      'service-other',
      'a good service, and not the one that was asked',
    );
    const nobody = await ask(ada, '?identity=nobody');
    assert.equal(nobody.exchange?.body['reason'], 'token-missing');
  });

  await step('3. IAM: the person may not use the front end', async () => {
    const { status } = await ask(await personCalled('dan'));
    assert.equal(status, 403);
    denies('3 IAM lets the person use the front end', 'no-rule-matched');
  });

  await step(
    '4. the second mutual TLS: on another connection neither token nor assertion is good',
    async () => {
      const ada = await personCalled('ada');
      const nobody = await ask(ada, '?second=nobody');
      assert.deepEqual([nobody.storage?.status, nobody.storage?.body['code']], [401, 'token-missing']);
      const other = await ask(ada, '?second=again');
      assert.deepEqual([other.storage?.status, other.storage?.body['code']], [401, 'delegation-key']);
      denies('4 the second connection is the front end’s own', 'delegation-key');
      const batch = await ask(ada, '?second=batch');
      assert.equal(batch.storage?.body['code'], 'delegation-service');
      // Stolen on its way, with a certificate that storage would take from its connector.
      const stolen = String((await ask(ada)).storage?.body['assertion']);
      const thief = new Agent({
        connect: { rejectUnauthorized: false, ...(await walk.identity('spiffe://prod.example/thief')) },
      });
      installation.atEnd(() => thief.destroy());
      const direct = await fetch(`https://127.0.0.1:${walk.storage}/records`, {
        dispatcher: thief,
        headers: { 'x-sallyport-assertion': stolen },
      });
      assert.deepEqual([direct.status, await direct.json()], [401, { code: 'certificate-other' }]);
    },
  );

  await step('5. the service: the front end may read, and not write', async () => {
    const written = await ask(await personCalled('ada'), '?method=POST');
    assert.deepEqual([written.exchange?.status, written.exchange?.body['error']], [400, 'invalid_target']);
    assert.equal(written.exchange?.body['reason'], 'denied-service');
    denies('5 the service may do it at storage', 'denied-service');
    // One that the gateway lets through in its own name: storage wants to know in whose.
    const own = new Agent({
      connect: {
        ca: installation.ca,
        lookup: localhostAwareLookup,
        ...(await walk.identity('spiffe://prod.example/batch')),
      },
    });
    installation.atEnd(() => own.destroy());
    const reply = await fetch(`https://storage.localhost:${walk.services}/records`, { dispatcher: own });
    assert.deepEqual([reply.status, await reply.json()], [403, { code: 'service-not-permitted' }]);
  });

  await step('6. the person at storage: allowed at the front end, and not there', async () => {
    const cleo = await ask(await personCalled('cleo'));
    assert.deepEqual([cleo.status, cleo.exchange?.body['reason']], [200, 'denied-person']);
    denies('6 the person may do it at storage', 'denied-person');
    const ben = await ask(await personCalled('ben'));
    assert.deepEqual([ben.storage?.status, ben.storage?.body], [403, { code: 'person-not-permitted' }]);
  });

  await step('a person who is revoked between two uses of one token: the second is denied', async () => {
    const ada = await personCalled('ada');
    // Nobody waits for the answer: what was open in the person's name is closed with their session.
    const open = ask(ada, '?again').catch(() => undefined);
    await walk.front.said(/the token is in use/);
    const { code, output } = await installation.sallyport(
      ...['revoke', 'person', 'ada@example.com', '--config', 'gateway.yaml'],
    );
    assert.equal(code, 0, output);
    const [, said] = await walk.front.said(/the token is refused: (.*)/);
    assert.equal(said, '401 delegation-session');
    await open;
    const recorded = events();
    const revoked = recorded.findLast(({ event }) => event.action === 'access-revoked');
    const refused = recorded.findLast(({ event }) => event.code === 'delegation-session');
    const used = recorded.filter(
      ({ event, sallyport }) => event.action === 'access-allowed' && sallyport?.acting,
    );
    const at = (one?: Event): number => Date.parse(one?.['@timestamp'] ?? '');
    t.diagnostic(
      `a token of a revoked person: refused ${at(refused) - at(revoked)} ms from the event of the revocation`,
    );
    assert.ok(at(refused) - at(revoked) <= REVOKED_WITHIN);
    assert.ok(used.length > 2, 'it was good before');
    assert.ok(used.every((one) => at(one) - at(revoked) <= REVOKED_WITHIN));
    people.delete('ada');
    const again = await ask(await personCalled('ada'));
    assert.equal(again.storage?.status, 200, 'signed in anew, she may');
  });

  t.diagnostic(`BeyondProd: ${broken.length} of 6 checks deny when broken`);
  for (const line of broken) t.diagnostic(line);
  assert.equal(broken.length, 6);
});
