// Firmware versions are compared number by number; what is no version is unknown.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const firmware = (version: string): Partial<AccessRequest> => ({ device: { id: 'd', firmware: version } });
const want = 'when: { device: { firmware: "1.9.2" } }';

criterionTest('firmware', 'firmware-too-old', [
  [want, firmware('1.9.2'), 'met'],
  [want, firmware('1.10'), 'met'],
  [want, firmware('2'), 'met'],
  [want, firmware('1.9.2.0'), 'met'],
  [want, firmware('01.09.02'), 'met'],
  [want, firmware('1.9.1'), 'unmet'],
  [want, firmware('1.9'), 'unmet'],
  [want, firmware('1.9.2-rc1'), 'unknown'],
  [want, firmware(''), 'unknown'],
  [want, { device: { id: 'd' } }, 'unknown'],
]);
