// Takes access away: in the store first, so that no gateway gives it again, then from everything that is open, here
// and at the other gateways. It answers only when what it answers for is kept.
import type { Sessions } from '#gateway/identity/sessions';
import type { EnrolmentDesk } from '#gateway/pki/enrolment';
import type { TunnelRelays } from '#gateway/tunnel/relay';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Revocations, RevocationTarget } from './revocations.ts';
import type { OpenExchange, OpenExchanges } from './streams.ts';

export interface RevokeParts {
  readonly revocations: Revocations;
  readonly sessions: Sessions;
  readonly open: OpenExchanges;
  readonly desk: EnrolmentDesk;
  readonly tunnels: Pick<TunnelRelays, 'disconnect'>;
  /** The device that a connector's machine is, by the key of its certificate, where a rule asked for it. */
  readonly machine: (key: string) => string | undefined;
  readonly recorder: Recorder;
  /** Milliseconds that the longest session can still last. */
  readonly longestSession: number;
  readonly now: () => number;
}

export interface Revoked {
  /** Sessions that ended. */
  readonly sessions: number;
  /** Exchanges that were closed at this gateway; others close their own. */
  readonly streams: number;
  /** Tunnels that were cut at this gateway. */
  readonly tunnels: number;
}

export class Revoke {
  readonly #parts: RevokeParts;

  constructor(parts: RevokeParts) {
    this.#parts = parts;
  }

  /** Begins to hear of what other gateways revoke. */
  async listen(): Promise<void> {
    const { revocations, sessions, open } = this.#parts;
    await sessions.listen(
      (id) => void open.endSession(id),
      () => void open.review('no-longer-allowed'),
    );
    await revocations.listen((target) => void this.#enforce(target));
  }

  /** Ids that `who`, an id or a verified address, stands for. Only who is signed in can be found by address. */
  async people(who: string): Promise<readonly string[]> {
    const found = (await this.#parts.sessions.list())
      .filter(({ subject }) => subject.id === who || subject.email === who)
      .map(({ subject }) => subject.id);
    return [...new Set(who.includes('#') ? [who, ...found] : found)];
  }

  /** `undefined` if there is no such session or connector. */
  async revoke(target: RevocationTarget, by: Actor, reason?: string): Promise<Revoked | undefined> {
    const { revocations, sessions, open, desk, recorder, longestSession, now } = this.#parts;
    const { kind, id } = target;
    if (kind === 'session') {
      const streams = open.bySession(this.#concerns(target)).get(id) ?? 0;
      const session = await sessions.kept(id);
      const since = now();
      // Ended even if it is not there: a try that was not acknowledged may have removed it, and told nobody.
      const ended = await sessions.end(id, 'revoked', () => revocations.tell(target));
      if (!ended || session === undefined) return undefined;
      await this.#record(session, by, reason, since, streams);
      return { sessions: 1, streams, tunnels: 0 };
    }
    if (kind === 'connector') {
      if (!(await desk.revoke(id))) return undefined;
      const tunnels = this.#parts.tunnels.disconnect(id, 'revoked');
      // What another connector took over goes through that one by now.
      const streams = sum(open.bySession(({ carrier }) => carrier?.connector === id));
      await revocations.tell(target);
      await recorder.record({ kind: 'access-revoked', target, by, reason, sessions: 0, streams });
      return { sessions: 0, streams, tunnels };
    }
    // Counted before: this gateway closes them as soon as the revocation is told, like every other one.
    const closes = open.bySession(this.#concerns(target));
    // A session that is being looked up at this moment is found out by when it began.
    await revocations.add(target, by.id, reason, kind === 'person' ? now() + longestSession : undefined);
    const since = now();
    this.#close(target);
    const theirs = kind === 'device' ? [] : await sessions.ofPerson(id);
    for (const session of theirs) {
      if (!(await sessions.end(session.id, 'revoked'))) continue;
      await this.#record(session, by, reason, since, closes.get(session.id) ?? 0);
    }
    const streams = sum(closes);
    const [subject] = theirs.map((session) => session.subject);
    const counts = { sessions: theirs.length, streams };
    await recorder.record({ kind: 'access-revoked', target, subject, by, reason, ...counts });
    return { sessions: theirs.length, streams, tunnels: 0 };
  }

  async #record(
    { id, subject }: { readonly id: string; readonly subject: OpenExchange['session']['subject'] },
    by: Actor,
    reason: string | undefined,
    since: number,
    streamsClosed: number,
  ): Promise<void> {
    const enforceMs = Math.max(0, this.#parts.now() - since);
    await this.#parts.recorder.record({
      ...{ kind: 'session-revoked', subject, session: id, by, reason, enforceMs, streamsClosed },
    });
  }

  /**
   * Another gateway revoked something; `undefined`: it is not known what. A tunnel that nobody is told of ends with its
   * certificate, which was revoked too.
   */
  async #enforce(target: RevocationTarget | undefined): Promise<void> {
    const { open, tunnels } = this.#parts;
    if (target === undefined) return open.review('no-longer-allowed');
    this.#close(target);
    if (target.kind === 'connector') tunnels.disconnect(target.id, 'revoked');
  }

  /** Closes what a person, service or device has open at this gateway. */
  #close(target: RevocationTarget): void {
    const { sessions, open } = this.#parts;
    if (target.kind !== 'device') sessions.forget(({ subject }) => subject.id === target.id);
    open.end(this.#concerns(target), 'revoked');
  }

  #concerns({ kind, id }: RevocationTarget): (exchange: OpenExchange) => boolean {
    if (kind === 'session') return ({ session }) => session.id === id;
    if (kind === 'device')
      return (exchange) => exchange.input.device?.id === id || this.#through(exchange, id);
    return ({ session }) => session.subject.id === id;
  }

  /** Of an app whose connector counts: what carries it may be another one than it was decided with. */
  #through({ input, carrier }: OpenExchange, device: string): boolean {
    const key = input.connector === undefined ? undefined : carrier?.key;
    return key !== undefined && this.#parts.machine(key) === device;
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return counts.values().reduce((total, count) => total + count, 0);
}
