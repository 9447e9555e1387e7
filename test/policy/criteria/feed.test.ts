// Threat feeds: not loaded is unknown, loaded and silent is a fact.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const listed = (feeds?: string[]): Partial<AccessRequest> => ({
  network: { address: '', ...(feeds && { feeds }) },
});

criterionTest('feed', 'feed-mismatch', [
  ['when: { feed: any }', listed(['tor']), 'met'],
  ['when: { feed: any }', listed([]), 'unmet'],
  ['when: { feed: none }', listed([]), 'met'],
  ['when: { feed: none }', listed(['tor']), 'unmet'],
  ['when: { feed: [tor, botnet] }', listed(['x', 'botnet']), 'met'],
  ['when: { feed: [tor] }', listed(['botnet']), 'unmet'],
  ['when: { feed: any }', listed(), 'unknown'],
  ['when: { feed: none }', listed(), 'unknown'],
  ['when: { feed: [tor] }', listed(), 'unknown'],
]);
