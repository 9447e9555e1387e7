// Brings docs/events.md up to date with the mapper: node test/siem/ecs/write-reference.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reference } from './reference.ts';

writeFileSync(join(import.meta.dirname, '../../../docs/events.md'), reference());
