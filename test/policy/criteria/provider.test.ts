// Which identity provider signed the person in.
import { criterionTest, NOW } from './ask.ts';

const by = (provider: string): object => ({ login: { provider, at: NOW } });

criterionTest('provider', 'wrong-provider', [
  ['when: { provider: corp }', by('corp'), 'met'],
  ['when: { provider: [corp, partners] }', by('partners'), 'met'],
  ['when: { provider: corp }', by('Corp'), 'unmet'],
  ['when: { provider: corp }', {}, 'unknown'],
]);
