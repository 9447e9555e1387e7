// Methods are case-sensitive; what is not in upper case is no known method.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const by = (method: string): Partial<AccessRequest> => ({
  target: { app: 'app', protocol: 'http', method, path: '/' },
});

criterionTest('methods', 'wrong-method', [
  ['methods: GET', by('GET'), 'met'],
  ['methods: [GET, POST]', by('POST'), 'met'],
  ['methods: GET', by('HEAD'), 'unmet'],
  ['methods: GET', by('PROPFIND'), 'unmet'],
  ['methods: PROPFIND', by('PROPFIND'), 'met'],
  ['methods: POST', by('post'), 'unknown'],
  ['methods: POST', by(''), 'unknown'],
  ['methods: POST', by('POST '), 'unknown'],
  ['methods: POST', { target: { app: 'app', protocol: 'http', path: '/' } }, 'unknown'],
]);
