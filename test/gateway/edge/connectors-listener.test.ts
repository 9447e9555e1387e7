// The listener that connectors dial: a tunnel beyond what is taken a second is turned away, and told so in words.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dial } from '#connectors/link/dial';
import { enrol } from '#connectors/link/enrol';
import { readToken } from '#connectors/link/token';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { openEmbeddedStore } from '#gateway/state/embedded';

test('tunnels beyond the rate are turned away with 503, and taken when there is room again', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-accepts-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const trustDomain = 'sallyport.internal';
  const desk = new EnrolmentDesk({
    ...{ store, authority, trustDomain, certificateLife: 3_600_000, now: Date.now },
  });
  let now = 0;
  let taken = 0;
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const limits = { connections: 1000, perAddress: 1000 };
  const server = connectorsListener({ cert, key }, limits, {
    ...{ desk, authority, trustDomain, accepts: new Accepts(2, () => now) },
    connected: (ws) => {
      taken += 1;
      t.after(() => ws.terminate());
    },
    record: async () => undefined,
    refused: async () => undefined,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const gateway = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
  const { token } = await desk.createToken('one', 60_000, 'test');
  const identity = await enrol(gateway, readToken(token, Date.now()));
  const dialled = async (): Promise<string> =>
    dial(gateway, identity).then(
      (ws) => {
        t.after(() => ws.terminate());
        return 'open';
      },
      (error: Error) => error.message,
    );
  assert.deepEqual([await dialled(), await dialled()], ['open', 'open']);
  assert.match(await dialled(), /answered 503: it takes no more tunnels at this moment/);
  now += 1_000;
  assert.equal(await dialled(), 'open');
  assert.equal(taken, 3);
});
