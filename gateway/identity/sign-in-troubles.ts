// Tells whoever runs a gateway why sign-ins fail at a provider: people are told only what is for them. Once in a while
// for each reason, since strangers can make sign-ins fail as often as they like.
import type { Log } from '#siem/log';
import type { LoginError, LoginFailure } from './providers.ts';

/** The same trouble is not told again before this, in milliseconds. */
const PAUSE = 60_000;
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
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(log: Pick<Log, 'warn'>, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** `provider`: the id of one that is configured; with any other there is no cause to tell. */
  tell(provider: string, { code, cause }: LoginError): void {
    if (cause === undefined || !this.#isNews(provider, code)) return;
    const reason = wordsOf(cause);
    this.#log.warn({ provider, code, reason }, `sign-ins with ${provider} fail (${code}): ${reason}`);
  }

  #isNews(provider: string, code: LoginFailure): boolean {
    const key = `${provider} ${code}`;
    const before = this.#told.get(key);
    if (before !== undefined && this.#now() - before < PAUSE) return false;
    this.#told.set(key, this.#now());
    return true;
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
