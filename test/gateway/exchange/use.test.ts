// A token in a person's name in use: by the service it was made for, with its key, at its app, while the session lives.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { CONTEXT } from '#test/gateway/pki/signing';
import { ExchangeBed, FRONT, STORAGE } from './bed.ts';

describe('a token that is used', () => {
  let bed: ExchangeBed;
  let token: string;
  const undo: (() => Promise<void>)[] = [];
  after(async () => {
    for (const step of undo) await step();
  });
  before(async () => {
    bed = await ExchangeBed.start({ after: (step) => void undo.push(step) });
    token = await bed.token({ scope: 'GET' });
  });

  test('brings the person, from where they are, and what came with their name', async () => {
    const acting = await bed.use(token);
    assert.deepEqual(
      [acting?.person.id, acting?.network.address, acting?.act.sub],
      ['session-1', CONTEXT.address, FRONT],
    );
    assert.equal(await bed.use(undefined), undefined);
  });

  test('brings the device that the assertion told of, by its key', async () => {
    const device = { id: 'laptop-7', attested: true };
    const shown = async (deviceBoot?: string) => {
      const subject_token = bed.assertion({ device, deviceKey: 'thumb', deviceBoot });
      const { until: _, ...bond } = (await bed.use(await bed.token({ subject_token })))?.person.bond ?? {};
      return bond;
    };
    // With the boot in which it was shown: without it, it would count as restarted since.
    assert.deepEqual(await shown('7.0'), { device: 'laptop-7', key: 'thumb', boot: '7.0' });
    assert.deepEqual(await shown(), { device: 'laptop-7', key: 'thumb' });
  });

  test('brings the device for as long as the person’s own browser shows it, and no longer than their session', async () => {
    const device = { id: 'laptop-7', attested: true };
    const shown = async (deviceUntil: number | undefined): Promise<number | undefined> => {
      const subject_token = bed.assertion({ device, deviceKey: 'thumb', deviceUntil });
      return (await bed.use(await bed.token({ subject_token })))?.person.bond?.until;
    };
    const end = (await bed.use(token))?.person.expiresAt ?? 0;
    const soon = Math.floor(end / 1000) * 1000 - 60_000;
    assert.deepEqual(
      [await shown(soon), await shown(soon + 3_600_000), await shown(undefined)],
      [soon, end, end],
    );
  });

  const cases: readonly [what: string, code: string, use: () => Promise<unknown>, set?: () => void][] = [
    ['at another app', 'delegation-audience', () => bed.use(token, { app: 'other' })],
    ['for another method', 'delegation-scope', () => bed.use(token, { method: 'POST' })],
    [
      'by another service',
      'delegation-service',
      () => bed.use(token),
      () => {
        bed.service = STORAGE;
      },
    ],
    [
      'over another connection',
      'delegation-key',
      () => bed.use(token),
      () => {
        bed.certificate = bed.certificates[1];
      },
    ],
    [
      'without a certificate',
      'delegation-key',
      () => bed.use(token),
      () => {
        bed.certificate = undefined;
      },
    ],
    [
      'after the session',
      'delegation-session',
      () => bed.use(token),
      () => {
        bed.session = undefined;
      },
    ],
    ['when it is an assertion', 'delegation-type', () => bed.use(bed.assertion())],
    [
      'changed',
      'delegation-signature',
      () => bed.use(token.replace(/\.[^.]+\./, (part) => part.replace(/.{2}\.$/, 'AA.'))),
    ],
    [
      'after a minute',
      'delegation-expired',
      () => bed.use(token),
      () => {
        bed.clock.time += 60_000;
      },
    ],
  ];
  for (const [what, code, use, set] of cases) {
    test(`${what}: ${code}`, async () => {
      const { service, certificate, session } = bed;
      const { time } = bed.clock;
      set?.();
      await assert.rejects(use(), { code }).finally(() => {
        Object.assign(bed, { service, certificate, session });
        bed.clock.time = time;
      });
    });
  }
});

test('a service with a token of its own proves a key each time, and no proof is good twice', async (t) => {
  const bed = await ExchangeBed.start(t);
  bed.certificate = undefined;
  const at = 'https://access.example.com/oauth2/token';
  const own = {
    client_assertion: 'x',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  };
  const dpop = bed.proof(at, 'POST');
  const token = await bed.token(own, { dpop });
  assert.deepEqual(decodeJwt(token)['cnf'], { jkt: await bed.thumbprint() });
  const again = await bed.ask(own, { dpop });
  assert.deepEqual([again.body['error'], again.body['reason']], ['invalid_dpop_proof', 'proof-replayed']);
  const use = 'https://storage.example.com/a';
  const good = bed.proof(use, 'GET', token);
  assert.equal((await bed.use(token, { dpop: good }))?.act.sub, FRONT);
  await assert.rejects(bed.use(token, { dpop: good }), { code: 'proof-replayed' });
  await assert.rejects(bed.use(token), { code: 'proof-missing' });
  await assert.rejects(bed.use(token, { dpop: bed.proof(use, 'POST', token) }), { code: 'proof-invalid' });
  const other = await ExchangeBed.start(t);
  await assert.rejects(bed.use(token, { dpop: other.proof(use, 'GET', token) }), { code: 'delegation-key' });
});
