// Turns what Redis does not answer, or refuses, into errors of the store.
import { StateError } from './error.ts';
import { adviceOn } from './redis-advice.ts';

/** Rejects with StateError. */
export async function answered<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    throw unanswered(error);
  }
}

/** Redis's words never hold a value of ours, but they may hold an address: they are for the log. */
export function unanswered(cause: unknown): StateError {
  if (cause instanceof StateError) return cause;
  const { name, message } = cause as Error;
  if (name === 'ReplyError') {
    const why = adviceOn(cause as Error, 'state.redis', false);
    return new StateError('state-unreachable', `Redis refused: ${why}`, { cause });
  }
  // The library's way to say so names options of its own; why it is so is among the warnings.
  const why = message.startsWith('Stream isn') ? 'there is no connection to it' : message;
  return new StateError('state-unreachable', `Redis did not answer: ${why}`, { cause });
}
