// A store that can be made to fall silent on purpose, so that people may see before it happens what a gateway does when
// its state cannot be reached. Nothing that is kept is touched.
import { StateError } from './error.ts';
import type { Store } from './store.ts';

export interface Rehearsable {
  readonly store: Store;
  /** From now on every question goes unanswered, until `speak`. */
  silence(): void;
  speak(): void;
}

export function rehearsable(real: Store): Rehearsable {
  let silentSince: number | undefined;
  const store = new Proxy(real, {
    get(target, name: keyof Store) {
      const method = target[name].bind(target) as (...args: unknown[]) => unknown;
      if (name === 'confirmedAt') return () => silentSince ?? target.confirmedAt();
      if (name === 'close' || name === 'subscribe' || name === 'warnings') return method;
      return (...args: unknown[]) =>
        silentSince === undefined
          ? method(...args)
          : Promise.reject(new StateError('state-unreachable', 'the state does not answer: this is a drill'));
    },
  });
  return {
    store,
    silence: () => {
      silentSince = performance.now();
    },
    speak: () => {
      silentSince = undefined;
    },
  };
}
