// How long ago the workload's images were scanned for vulnerabilities: an old clean bill says little.
import { withinAge } from './age.ts';
import type { Criterion } from './criterion.ts';

export const scan: Criterion<number> = withinAge(
  'workload.scannedWithin',
  'scan-too-old',
  ({ request }) => request.workload?.scannedAt,
);
