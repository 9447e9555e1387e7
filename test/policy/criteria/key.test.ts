// Where a service's key is.
import { criterionTest } from './ask.ts';

const service = { kind: 'service', id: 'spiffe://td/service/billing', groups: [], roles: [] } as const;

criterionTest('key', 'key-origin', [
  ['when: { key: tpm }', { subject: { ...service, key: 'tpm' } }, 'met'],
  ['when: { key: tpm }', { subject: { ...service, key: 'file' } }, 'unmet'],
  ['when: { key: file }', { subject: { ...service, key: 'file' } }, 'met'],
  ['when: { key: tpm }', { subject: service }, 'unknown'],
  ['when: { key: file }', { subject: service }, 'unknown'],
]);
