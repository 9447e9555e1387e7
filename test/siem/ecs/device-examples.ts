// One full example of every kind of event about devices and their attestation.
import type { Subject } from '#policy/input';
import type { DeviceEvent } from '#siem/device-event';
import type { EventOf } from '#siem/event';
import type { Actor, Peer } from '#siem/parties';

type DeviceExamples = { readonly [K in DeviceEvent['kind']]: EventOf<K> };

const device = { id: '0199c3d2-77aa-7c01-9e51-5a0c1d2e3f40', name: 'anna-laptop' };

export function deviceExamples(parts: {
  readonly client: Peer;
  readonly subject: Subject;
  readonly session: string;
  readonly by: Actor;
  readonly at: number;
}): DeviceExamples {
  const { client, subject, session, by, at } = parts;
  return {
    'device-token-created': {
      kind: 'device-token-created',
      name: 'anna-laptop',
      owner: subject.id,
      connector: { name: 'rack-1' },
      by,
      expiresAt: at + 3_600_000,
    },
    'device-enrolled': {
      kind: 'device-enrolled',
      device,
      state: 'pending',
      model: 'Laptop 14',
      manufacturer: 'Infineon',
      ekName: '000b5d2e',
      connector: { name: 'rack-1' },
      client,
    },
    'device-enrolment-refused': {
      kind: 'device-enrolment-refused',
      code: 'ek-chain-untrusted',
      device,
      client,
    },
    'device-approved': { kind: 'device-approved', device, by },
    'device-revoked': { kind: 'device-revoked', device, by },
    'device-forgotten': { kind: 'device-forgotten', device, by },
    'device-attested': {
      kind: 'device-attested',
      device,
      status: 'contraindicated',
      reasons: ['secure-boot-off'],
      boot: '41.0',
      expiresAt: at + 900_000,
      subject,
      connector: { name: 'rack-1' },
      session,
      client,
    },
    'device-posture-failed': {
      kind: 'device-posture-failed',
      device,
      status: 'contraindicated',
      reasons: ['secure-boot-off'],
      message: 'Secure boot is off.',
      subject,
      connector: { name: 'rack-1' },
      client,
    },
    'device-evidence-refused': {
      kind: 'device-evidence-refused',
      device,
      code: 'relayed-channel',
      reasons: ['relayed-channel'],
      subject,
      connector: { name: 'rack-1' },
      client,
    },
    'device-session-bound': {
      kind: 'device-session-bound',
      channel: 'browser',
      device,
      key: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
      subject,
      session,
      client,
    },
    'device-session-refused': {
      kind: 'device-session-refused',
      code: 'other-person',
      channel: 'browser',
      device,
      subject,
      session,
      client,
    },
    'baseline-learnt': { kind: 'baseline-learnt', baseline: '7f3a', model: 'Laptop 14', device, by },
    'baseline-approved': { kind: 'baseline-approved', baseline: '7f3a', model: 'Laptop 14', by },
    'baseline-removed': { kind: 'baseline-removed', baseline: '7f3a', model: 'Laptop 14', by },
  };
}
