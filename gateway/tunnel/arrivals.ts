// The first seconds of a gateway, in which its connectors find it again: whoever asks for an app waits for them rather
// than being told that there are none. Nobody waits for an app that has had a connector, or after those seconds.

/** Milliseconds: time for a connector's first pauses between dials, one, two, four and eight seconds at most. */
const YOUNG = 15_000;

export class Arrivals {
  readonly #here = new Set<string>();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #onOver: () => void;

  /** `onOver`: there is nothing to wait for any more. */
  constructor(onOver: () => void) {
    this.#onOver = onOver;
    this.#timer = setTimeout(() => this.end(), YOUNG).unref();
  }

  /** Undefined for an app that has had a connector. */
  of(app: string): Promise<void> | undefined {
    if (this.#here.has(app)) return undefined;
    let waiting = this.#waiting.get(app);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<void>();
      this.#waiting.set(app, waiting);
    }
    return waiting.promise;
  }

  here(apps: readonly string[]): void {
    for (const app of apps) {
      this.#here.add(app);
      this.#waiting.get(app)?.resolve();
      this.#waiting.delete(app);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
    this.#onOver();
  }
}
