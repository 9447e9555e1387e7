// Tells whoever runs a gateway why sign-ins fail at a provider: people are told only what is for them. Once in a while
// for each reason, since strangers can make sign-ins fail as often as they like.
import { Sparing } from '#gateway/sparing';
import type { Log } from '#siem/log';
import type { LoginError } from './providers.ts';

const MOST_TEXT = 500;
const ERROR_CODE = /^[\w.-]{1,64}$/;

interface Cause {
  readonly message?: unknown;
  readonly cause?: unknown;
  /** What the provider answered, as OAuth 2.0 names it: `invalid_client`, … */
  readonly error?: unknown;
}

export class SignInTroubles {
  readonly #log: Pick<Log, 'warn'>;
  readonly #sparing: Sparing;

  constructor(log: Pick<Log, 'warn'>, now: () => number) {
    this.#log = log;
    this.#sparing = new Sparing(now);
  }

  /** `provider`: the id of one that is configured; with any other there is no cause to tell. */
  tell(provider: string, { code, cause }: LoginError): void {
    if (cause === undefined || !this.#sparing.isDue(`${provider} ${code}`)) return;
    const reason = wordsOf(cause);
    this.#log.warn({ provider, code, reason }, `sign-ins with ${provider} fail (${code}): ${reason}`);
  }
}

/** The messages of an error and of what it wraps, outermost first. */
function wordsOf(cause: unknown): string {
  const words: string[] = [];
  for (let next = cause; typeof next === 'object' && next !== null && words.length < 8; ) {
    const { message, error, cause: inner } = next as Cause;
    const answered = typeof error === 'string' && ERROR_CODE.test(error) ? ` (${error})` : '';
    const text = `${typeof message === 'string' ? message : ''}${answered}`;
    if (text !== '' && !words.includes(text)) words.push(text);
    next = inner;
  }
  return words.join(': ').slice(0, MOST_TEXT);
}
