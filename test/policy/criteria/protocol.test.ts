// HTTP or TCP. Methods and paths exist in HTTP only, so a rule that names them is not about streams.
import { criterionTest } from './ask.ts';

const tcp = { target: { app: 'app', protocol: 'tcp' as const } };

criterionTest('protocol', 'wrong-protocol', [
  ['protocol: tcp', tcp, 'met'],
  ['protocol: tcp', {}, 'unmet'],
  ['protocol: http', {}, 'met'],
  ['protocol: http', tcp, 'unmet'],
  ['methods: GET', tcp, 'unmet'],
  ['paths: /**', tcp, 'unmet'],
]);
