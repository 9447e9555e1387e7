// From what the protocol says of a stream's end to what the gateway tells its caller.
import type { ResetCode } from '#connectors/wire/error';
import type { RelayFailure } from './relay.ts';

const FAILURE: Readonly<Record<ResetCode | 'lost', RelayFailure>> = {
  lost: 'connector-lost',
  refused: 'connector-refused',
  'unknown-app': 'connector-refused',
  'app-unreachable': 'app-unreachable',
  'app-timeout': 'app-timeout',
  'app-error': 'app-error',
  'bad-head': 'app-error',
  'stream-state': 'app-error',
  cancelled: 'app-error',
  done: 'app-error',
};

export function failureOf(code: ResetCode | 'lost'): RelayFailure {
  return FAILURE[code];
}
