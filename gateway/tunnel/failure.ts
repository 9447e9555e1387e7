// From what the protocol says of a stream's end to what the gateway tells its caller.
import type { ResetCode } from '#connectors/wire/error';
import type { SpliceEnd } from '#connectors/wire/splice';
import type { RelayFailure, RelayOutcome } from './relay.ts';

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

/** Of two joined connections: the outcome, and where it has them a failure and a detail. */
export function endOfSplice(
  end: SpliceEnd,
  why: string,
): [outcome: RelayOutcome, failure?: RelayFailure | undefined, detail?: string] {
  if (end === 'completed') return ['completed'];
  if (end === 'socket') return ['client-aborted', undefined, why];
  return ['failed', why.startsWith('lost') ? 'connector-lost' : 'app-error', why];
}
