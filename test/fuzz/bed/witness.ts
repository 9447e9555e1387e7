// Holds what an app received against what the gateway recorded: each request one allow, with its method and path, once.
import type { FuzzInstallation } from './installation.ts';
import type { Tally } from './tally.ts';

export class Witness {
  readonly #installation: FuzzInstallation;
  readonly #tally: Tally;
  readonly #tried: string[] = [];
  /** By id: what was allowed and had not arrived at the last look. Whose client gave up may arrive after it. */
  #onTheWay = new Map<string, string>();
  /** Requests that reached the app. */
  arrived = 0;

  constructor(installation: FuzzInstallation, tally: Tally) {
    this.#installation = installation;
    this.#tally = tally;
  }

  /** Remembers an input of this round, to be shown if something got through. */
  tried(input: string): void {
    this.#tried.push(input);
  }

  /** Everything that arrived since the last look. */
  check(): void {
    const { app, events } = this.#installation;
    const before = this.#onTheWay;
    const allowed = new Map<string, string>();
    for (const { event, http, url, sallyport } of events()) {
      if (sallyport?.decision?.verdict !== 'allow') continue;
      allowed.set(event.id, `${http?.request?.method} ${url?.path}`);
    }
    for (const { method, target, headers, bytes } of app.arrived.splice(0)) {
      const id = headers.find(([name]) => name === 'x-request-id')?.[1] ?? '';
      const line = `${method} ${target.split('?', 1)[0]}`;
      const recorded = allowed.get(id) ?? before.get(id);
      if (!allowed.delete(id)) before.delete(id);
      this.arrived += 1;
      if (recorded === line) continue;
      this.#tally.unrecordedAllows += recorded === undefined ? 1 : 0;
      this.#tally.upstreamBytes += bytes;
      this.#tally.note(
        this.#inputWith(target),
        `${line} reached the app, recorded was ${recorded ?? 'nothing'}`,
      );
    }
    for (const { bytes, text } of app.strays.splice(0)) {
      this.#tally.upstreamBytes += bytes;
      this.#tally.note(this.#inputWith(text), `the app cannot read ${JSON.stringify(text)}`);
    }
    this.#onTheWay = allowed;
    this.#tried.length = 0;
  }

  #inputWith(text: string): string {
    return JSON.stringify(
      this.#tried.find((input) => input.includes(text.slice(0, 12))) ?? this.#tried.slice(-3),
    );
  }
}
