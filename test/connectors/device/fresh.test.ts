// When a machine proves its state again: in time by the gateway's clock, whatever its own says or does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { introduce } from '#connectors/device/attester';
import { attestDevice } from '#connectors/device/ceremony';
import { keepFresh } from '#connectors/device/fresh';
import { portalAgent } from '#connectors/device/transport';
import { DEVICE_PATHS } from '#connectors/wire/evidence';
import { requires } from '#test/requires';
import { makeCertificate } from '#test/siem/sinks/certificate';
import { type SoftwareTpm, TPM_NEEDS, TpmMaker } from './swtpm.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-fresh-'));
const HOUR = 3_600_000;

describe('a machine that is kept fresh', { skip: requires(...TPM_NEEDS) }, () => {
  let tpm: SoftwareTpm;
  before(async () => {
    tpm = await new TpmMaker(join(root, 'ca')).make(join(root, 'tpm'));
  });
  after(async () => {
    await tpm.off();
    rmSync(root, { recursive: true, force: true });
  });

  for (const [what, later] of [
    ['is set back', { wall: -HOUR, clock: 60_000 }],
    ['alone goes on, as the machine sleeps', { wall: HOUR, clock: 0 }],
  ] as const) {
    test(`proves itself anew although its clock ${what}`, async () => {
      const stop = new AbortController();
      let [wall, clock, proofs, looks] = [Date.now(), 0, 0, 0];
      const { promise: again, resolve } = Promise.withResolvers<void>();
      const kept = keepFresh(
        {
          ...{ tpm: tpm.address, now: () => wall, clock: () => clock, random: () => 0 },
          async attest() {
            const expiresAt = wall + 60_000;
            proofs += 1;
            if (proofs === 2) resolve();
            return { status: 'affirming', expiresAt, reasons: [] };
          },
          // Asked before the first proof, and then while it counts.
          occasion() {
            looks += 1;
            if (looks !== 2) return undefined;
            wall += later.wall;
            clock += later.clock;
            return undefined;
          },
          onResult: () => undefined,
          onFailure: (error) => assert.fail(error),
        },
        stop.signal,
      );
      await again;
      stop.abort();
      await kept;
    });
  }

  for (const ahead of [0, HOUR, -HOUR]) {
    test(`learns the end of a result in its own time from a gateway whose clock is ${ahead / HOUR} h ahead`, async (t) => {
      const { certificate, key } = makeCertificate(root);
      const pem = readFileSync(certificate, 'utf8');
      const now = 1_800_000_000_000;
      const server = createServer({ cert: pem, key: readFileSync(key) }, (request, response) => {
        request.resume().once('end', () => {
          const asked = request.url === DEVICE_PATHS.challenge;
          const result = { status: 'affirming', expiresAt: now + ahead + 60_000, reasons: [] };
          response.writeHead(asked ? 201 : 200, { date: new Date(now + ahead).toUTCString() });
          response.end(JSON.stringify(asked ? { nonce: 'A'.repeat(43) } : result));
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => {
        server.close();
        server.closeAllConnections();
      });
      const { keys } = await introduce(tpm.address);
      const portal = `https://localhost:${(server.address() as AddressInfo).port}`;
      const { expiresAt } = await attestDevice({
        device: { ...{ portal, device: 'd', name: 'laptop', tpm: tpm.address }, keys },
        ...{ agent: portalAgent(pem), eventLog: '/nowhere', now: () => now },
      });
      assert.equal(expiresAt, now + 60_000);
    });
  }
});
