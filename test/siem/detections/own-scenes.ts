// For each detection of what happens to gateways, connectors, devices and what they go by: what must set it off, and what
// looks alike and must not.
import { examples } from '../ecs/examples.ts';
import { like, times } from './acts.ts';
import type { Scenes } from './scene.ts';

const HOUR = 3600;
const beat = examples.heartbeat;
const [sink] = beat.sinks;
const lost = like('connector-disconnected', { code: 'silent', reason: 'closed (1006)' });

export const ownScenes: Readonly<Record<string, Scenes>> = {
  'policy-change-outside-hours': {
    fires: [
      { says: 'at 19:00', steps: [{ after: 10 * HOUR, event: like('policy-loaded') }] },
      { says: 'at 06:59', steps: [{ after: 22 * HOUR - 60, event: like('policy-loaded') }] },
    ],
    quiet: [
      { says: 'at 18:59', steps: [{ after: 10 * HOUR - 60, event: like('policy-loaded') }] },
      { says: 'at 07:00', steps: [{ after: 22 * HOUR, event: like('policy-loaded') }] },
      {
        says: 'a start at night, which changes nothing',
        steps: [{ after: 12 * HOUR, event: like('policy-loaded', { previousHash: undefined }) }],
      },
    ],
  },
  'connector-flapping': {
    fires: [{ says: 'five in eight minutes', steps: times(5, 120, lost) }],
    quiet: [
      {
        says: 'eight that were replaced when the certificate was renewed',
        steps: times(8, 1, like('connector-disconnected', { code: 'going-away', reason: 'drained' })),
      },
      { says: 'four', steps: times(4, 120, lost) },
      { says: 'five in an hour', steps: times(5, 720, lost) },
      {
        says: 'five connectors, once each',
        steps: times(5, 60, (index) => ({ ...lost, connector: { name: `c${index}` } })),
      },
    ],
  },
  'sequence-gap': {
    fires: [
      {
        says: 'one is missing in the middle',
        steps: times(5, 60, beat).map((step, index) => (index === 2 ? { ...step, lost: true } : step)),
        at: 900,
      },
    ],
    quiet: [
      { says: 'all are there', steps: times(5, 60, beat), at: 900 },
      {
        says: 'the newest are on their way',
        steps: times(5, 60, beat).map((step, index) => (index === 3 ? { ...step, lost: true } : step)),
        at: 460,
      },
    ],
  },
  'gateway-silent': {
    fires: [{ says: 'a minute of heartbeats, then nothing', steps: times(6, 10, beat), at: 420 }],
    quiet: [{ says: 'heartbeats until now', steps: times(60, 10, beat) }],
  },
  'change-refused': {
    fires: [{ says: 'an older one', steps: [{ after: 0, event: like('change-refused') }] }],
    quiet: [{ says: 'one that was signed', steps: [{ after: 0, event: like('change-accepted') }] }],
  },
  'break-glass-used': {
    fires: [
      { says: 'opened', steps: [{ after: 0, event: like('break-glass-opened') }] },
      {
        says: 'something done under it',
        steps: [{ after: 0, event: like('admin-action', { breakGlass: true, verdict: 'allowed' }) }],
      },
    ],
    quiet: [{ says: 'an admin who may not', steps: [{ after: 0, event: like('admin-action') }] }],
  },
  'code-drifted': {
    fires: [{ says: 'a file changed', steps: [{ after: 0, event: like('code-measured') }] }],
    quiet: (['as-released', 'unproven'] as const).map((verdict) => ({
      says: verdict,
      steps: [{ after: 0, event: like('code-measured', { verdict }) }],
    })),
  },
  'attestation-failure': {
    fires: [
      { says: 'a device that was well is not', steps: [{ after: 0, event: like('device-posture-failed') }] },
      {
        says: 'evidence over another channel',
        steps: [{ after: 0, event: like('device-evidence-refused', { code: 'relayed-channel' }) }],
      },
      {
        says: 'a proof that was used before',
        steps: [{ after: 0, event: like('device-session-refused', { code: 'proof-replayed' }) }],
      },
    ],
    quiet: [
      { says: 'attested, and well', steps: [{ after: 0, event: like('device-attested') }] },
      {
        says: 'evidence that cannot be read',
        steps: [{ after: 0, event: like('device-evidence-refused', { code: 'attest-truncated' }) }],
      },
      {
        says: 'a session without a device',
        steps: [{ after: 0, event: like('device-session-refused', { code: 'device-unknown' }) }],
      },
    ],
  },
  'recording-interrupted': {
    fires: [{ says: 'it was', steps: [{ after: 0, event: like('recording-interrupted') }] }],
    quiet: [{ says: 'a heartbeat', steps: [{ after: 0, event: beat }] }],
  },
  'records-set-aside': {
    fires: [
      {
        says: 'a dead letter',
        steps: [
          {
            after: 0,
            event: { ...beat, sinks: sink === undefined ? [] : [sink, { ...sink, deadLetters: 1 }] },
          },
        ],
      },
      { says: 'a torn record', steps: [{ after: 0, event: like('gateway-started', { repairedBytes: 12 }) }] },
    ],
    quiet: [
      { says: 'a heartbeat without', steps: [{ after: 0, event: beat }] },
      { says: 'a clean start', steps: [{ after: 0, event: like('gateway-started', { repairedBytes: 0 }) }] },
    ],
  },
};
