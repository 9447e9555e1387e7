// Holds the policy in force and swaps it in one step; a document that is refused never replaces a good one.
import type { Loading } from './load.ts';
import { loadPolicyOffThread } from './loader/off-thread.ts';
import type { Policy } from './policy.ts';

/** Told after a swap; decide open streams again with `policy`. */
export type Subscriber = (policy: Policy, previous: Policy) => void;

export class PolicyHolder {
  #current: Policy;
  readonly #subscribers: Set<Subscriber> = new Set();
  readonly #load: (text: string, file: string) => Promise<Loading>;
  /** The offer before is taken, or is not. */
  #last: Promise<unknown> = Promise.resolve();

  /** `load` is replaced in tests only. */
  constructor(initial: Policy, load: typeof loadPolicyOffThread = loadPolicyOffThread) {
    this.#current = initial;
    this.#load = load;
  }

  get current(): Policy {
    return this.#current;
  }

  /**
   * Loads a document off the event loop and puts it in force if nothing is wrong with it; answers when it is. Of several
   * offers each is taken after the one before, so the last good one is in force in the end. `admit` is awaited before a
   * good document takes effect: what must be kept or recorded first belongs there, and if it rejects nothing changes.
   * Rejects as `loadPolicyOffThread` does.
   */
  async offer(
    text: string,
    file: string,
    admit: (policy: Policy) => Promise<void> = async () => undefined,
  ): Promise<Loading> {
    const before = this.#last;
    const loading = this.#load(text, file);
    const taken = Promise.all([loading, before]).then(async ([loaded]) => {
      // What was admitted takes effect, whatever is offered meanwhile: it may be recorded as in force.
      if (!loaded.ok || loaded.policy.hash === this.#current.hash) return;
      await admit(loaded.policy);
      this.replace(loaded.policy);
    });
    this.#last = Promise.allSettled([before, taken]);
    await taken;
    return loading;
  }

  /** Puts a policy in force and tells every subscriber; what they throw is thrown together at the end. */
  replace(policy: Policy): void {
    const previous = this.#current;
    if (policy.hash === previous.hash) return;
    this.#current = policy;
    const errors: unknown[] = [];
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(policy, previous);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0)
      throw new AggregateError(errors, 'a subscriber failed after the policy was replaced');
  }

  /** Returns the function that ends the subscription. */
  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
