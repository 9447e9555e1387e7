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
  #offers = 0;

  /** `load` is replaced in tests only. */
  constructor(initial: Policy, load: typeof loadPolicyOffThread = loadPolicyOffThread) {
    this.#current = initial;
    this.#load = load;
  }

  get current(): Policy {
    return this.#current;
  }

  /**
   * Loads a document off the event loop and puts it in force if nothing is wrong with it. When a later offer came
   * in meanwhile, that one decides what is in force. `admit` is awaited before a good document takes effect: what
   * must be kept or recorded first belongs there, and if it rejects nothing changes. Rejects as
   * `loadPolicyOffThread` does.
   */
  async offer(
    text: string,
    file: string,
    admit: (policy: Policy) => Promise<void> = async () => undefined,
  ): Promise<Loading> {
    this.#offers += 1;
    const offer = this.#offers;
    const loading = await this.#load(text, file);
    if (loading.ok && loading.policy.hash !== this.#current.hash && offer === this.#offers) {
      await admit(loading.policy);
      if (offer === this.#offers) this.replace(loading.policy);
    }
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
