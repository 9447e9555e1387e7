// Turns what Redis does not answer, or refuses, into errors of the store.
import { StateError } from './error.ts';

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
  const what = name === 'ReplyError' ? 'Redis refused' : 'Redis did not answer';
  // The library's way to say so names options of its own; why it is so is among the warnings.
  const why = message.startsWith('Stream isn') ? 'there is no connection to it' : message;
  return new StateError('state-unreachable', `${what}: ${why}`, { cause });
}
