// An SSH certificate that was given to somebody at a device is good no longer than that device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListedDevice } from '#gateway/attest/device-verifier';
import { SshDesk, type SshDeskOptions } from '#gateway/pki/ssh/desk';
import { writeKrl } from '#gateway/pki/ssh/krl';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { directoryFor } from '../../../siem/outbox/documents.ts';

const AT = Date.parse('2026-03-04T10:00:00Z');
const HOUR = 3_600_000;
const AUTHORITY = Buffer.from('authority').toString('base64');

test('an admin who revokes or forgets a device has its certificates listed, also once it has enrolled anew', async (t) => {
  const store = openEmbeddedStore(directoryFor(t), () => AT);
  t.after(() => store.close());
  const certificate = {
    ...{ authority: AUTHORITY, keyId: 'ada', session: 's', person: 'ada', revoked: false },
    ...{ issuedAt: AT, notAfter: AT + HOUR },
  };
  await store.put('sshCertificate', '1', { ...certificate, device: 'laptop' }, AT + HOUR);
  await store.put('sshCertificate', '2', { ...certificate, device: 'desktop' }, AT + HOUR);
  await store.put('sshCertificate', '3', certificate, AT + HOUR);
  const known = new Map<string, Pick<ListedDevice, 'state' | 'enrolledAt'>>();
  /** A desk that has given out no list yet. */
  const list = (): Promise<Buffer> =>
    new SshDesk({
      store,
      sessions: { alive: async () => true },
      revocations: { coversDevice: () => false },
      devices: { find: async (device: string) => known.get(device) },
      now: () => AT,
    } as unknown as SshDeskOptions).krl();
  const listed = (...serials: bigint[]): Buffer =>
    writeKrl(
      serials.map((serial) => ({ serial, authority: AUTHORITY })),
      AT,
    );
  known.set('desktop', { state: 'approved', enrolledAt: AT - HOUR });
  for (const [state, enrolledAt, over] of [
    ['approved', AT - HOUR, false],
    ['revoked', AT - HOUR, true],
    ['pending', AT - HOUR, true],
    ['approved', AT + 1, true],
  ] as const) {
    known.set('laptop', { state, enrolledAt });
    assert.deepEqual(await list(), over ? listed(1n) : listed(), `${state}, enrolled at ${enrolledAt - AT}`);
  }
  known.delete('laptop');
  assert.deepEqual(await list(), listed(1n), 'forgotten');
});
