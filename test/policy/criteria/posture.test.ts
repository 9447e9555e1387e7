// Device claims: a missing claim is unknown, and a false one outweighs a missing one.
import type { AccessRequest, Device } from '#policy/input';
import { criterionTest } from './ask.ts';

const device = (claims: Partial<Device>): Partial<AccessRequest> => ({ device: { id: 'd', ...claims } });

criterionTest('device', 'posture-mismatch', [
  ['when: { device: hardened }', device({ attested: true, secureBoot: true }), 'met'],
  ['when: { device: hardened }', device({ attested: true, secureBoot: false }), 'unmet'],
  ['when: { device: hardened }', device({ attested: true }), 'unknown'],
  ['when: { device: hardened }', device({ attested: false }), 'unmet'],
  ['when: { device: hardened }', {}, 'unknown'],
  ['when: { device: { attested: false } }', device({ attested: false }), 'met'],
  ['when: { device: { attested: false } }', device({ attested: true }), 'unmet'],
  ['when: { device: { attested: false } }', {}, 'unknown'],
  ['when: { device: { baseline: true } }', device({ baseline: true }), 'met'],
  ['when: { device: { sameBoot: true } }', device({ sameBoot: false }), 'unmet'],
  ['when: { device: { hardwareKey: true } }', device({ hardwareKey: true }), 'met'],
  ['when: { device: { hardwareKey: true } }', device({ attested: true }), 'unknown'],
]);
