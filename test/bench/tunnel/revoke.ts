// From a person's revocation, or a policy that no longer allows, to the end of what is open: a thousand WebSockets of a
// hundred people, and somebody else who goes on asking.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import WebSocket from 'ws';
import { callAdmin } from '#bin/admin-client';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { until } from '#test/story/part';
import { HOST } from '../spine/documents.ts';
import { type Product, startProduct, type Undo, within } from '../spine/product.ts';
import { startApp } from './app.ts';
import { percentile } from './percentile.ts';

const PEOPLE = 100;
const STREAMS_EACH = 10;
/** Revocations under way at once. */
const AT_ONCE = 4;
/** Sign-ins, and upgrades of one person, at once. */
const SIGN_INS = 8;
const PATIENCE = 20_000;

interface Person {
  readonly id: string;
  readonly cookie: string;
  /** For each of their streams, the milliseconds (performance.now) at which it was closed. */
  readonly closed: Promise<number>[];
}

type Progress = (line: string) => void;

export async function revoke(progress: Progress): Promise<Record<string, number>> {
  return within(async (directory, undo) => {
    const app = await startApp(undo);
    const ids = Array.from({ length: PEOPLE }, (_, index) => `p${index}`);
    const product = await startProduct(directory, undo, { app: app.port, people: [...ids, 'ada'] });
    progress(`${PEOPLE} people sign in`);
    const people: Person[] = [];
    await each(ids, SIGN_INS, async (id) => {
      people.push({ id, cookie: (await product.signIn(id)).cookieHeader(HOST), closed: [] });
    });
    const other = await bystander(product, undo);
    await other.ask(1_000);

    progress(`a policy change closes ${PEOPLE * STREAMS_EACH} streams`);
    await openStreams(product, people);
    const swapped = await swap(product, people);
    await until('the policy as it was', () => other.mayAsk());
    progress(`${PEOPLE} revocations close ${PEOPLE * STREAMS_EACH} streams`);
    await openStreams(product, people);
    const alone = await other.ask(2_000);
    const asking = other.ask(PATIENCE);
    // Whatever else fails is told first.
    asking.catch(() => undefined);
    const took: number[] = [];
    await each(people, AT_ONCE, async ({ id, closed }) => {
      const since = performance.now();
      const wish = { kind: 'person', id: `${id}@example.com`, by: 'bench' };
      const state = join(product.directory, 'state');
      const { status, body } = await callAdmin(state, 'POST', '/v1/revocations', wish);
      if (status !== 200) throw new Error(JSON.stringify(body));
      for (const at of await allOf(closed)) {
        if (at < since) throw new Error('a stream was closed before its revocation');
        took.push(at - since);
      }
    });
    other.stop();
    const meanwhile = await asking;
    return {
      revoke_p50_ms: percentile(took, 50),
      revoke_p99_ms: percentile(took, 99),
      revoked_streams: took.length,
      revoke_others_p99_ms: percentile(meanwhile, 99),
      revoke_others_before_p99_ms: percentile(alone, 99),
      policy_change_p99_ms: percentile(swapped, 99),
    };
  });
}

async function each<T>(list: readonly T[], atOnce: number, one: (item: T) => Promise<void>): Promise<void> {
  const left = [...list];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await one(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function allOf(closed: readonly Promise<number>[]): Promise<number[]> {
  const late = sleep(PATIENCE, undefined, { ref: false }).then(() => {
    throw new Error('a stream that should be closed is still open');
  });
  return Promise.race([Promise.all(closed), late]);
}

async function openStreams({ origin, authority }: Product, people: readonly Person[]): Promise<void> {
  const open = async ({ cookie, closed }: Person): Promise<void> => {
    const headers = { Cookie: cookie, Origin: origin };
    const options = { ca: authority.certificate, lookup: localhostAwareLookup, headers };
    const socket = new WebSocket(`${origin.replace('https', 'wss')}/socket`, options);
    await once(socket, 'open');
    socket.on('error', () => {});
    closed.push(once(socket, 'close').then(() => performance.now()));
  };
  await each(people, SIGN_INS, async (person) => {
    person.closed.length = 0;
    await Promise.all(Array.from({ length: STREAMS_EACH }, () => open(person)));
  });
}

/** Nobody may use the app for a while. Answers how long each stream lived on, in milliseconds. */
async function swap({ directory }: Product, people: readonly Person[]): Promise<number[]> {
  const file = join(directory, 'policy.yaml');
  const before = readFileSync(file, 'utf8');
  const reload = async (text: string): Promise<void> => {
    writeFileSync(file, text, { mode: 0o600 });
    const { status, body } = await callAdmin(join(directory, 'state'), 'POST', '/v1/policy/reload');
    if (status !== 200) throw new Error(JSON.stringify(body));
  };
  const since = performance.now();
  await reload(
    before.replace('  - { id: app0-embargo,', '  - { id: app0-closed, deny: app0 }\n  - { id: app0-embargo,'),
  );
  const ends = await allOf(people.flatMap(({ closed }) => closed));
  await reload(before);
  return ends.map((at) => at - since);
}

interface Bystander {
  /** Asks one request after another for so many milliseconds, or until told to stop; how long each took. */
  ask(ms: number): Promise<number[]>;
  stop(): void;
  mayAsk(): Promise<boolean>;
}

async function bystander({ origin, authority, signIn }: Product, undo: Undo): Promise<Bystander> {
  const cookie = (await signIn('ada')).cookieHeader(HOST);
  const dispatcher = new Agent({ connect: { ca: authority.certificate, lookup: localhostAwareLookup } });

  undo.push(() => dispatcher.destroy());
  let stopped = false;
  const askOnce = async (): Promise<number> => {
    const { statusCode, body } = await request(origin, { headers: { cookie }, dispatcher });
    await body.dump();
    return statusCode;
  };
  return {
    mayAsk: async () => (await askOnce()) === 200,
    async ask(ms) {
      const until = performance.now() + ms;
      const took: number[] = [];
      stopped = false;
      while (!stopped && performance.now() < until) {
        const asked = performance.now();
        const status = await askOnce();
        if (status !== 200) throw new Error(`somebody else was answered ${status}`);
        took.push(performance.now() - asked);
      }
      return took;
    },
    stop() {
      stopped = true;
    },
  };
}
