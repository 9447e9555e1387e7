// The same broken requests through nginx and haproxy: behind the gateway as the app's own proxy, and before it as its
// load balancer. Nobody may see a request that another did not send, whatever the three make of the bytes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { canonicalTarget } from '#gateway/edge/target';
import { type FuzzInstallation, HOST, startFuzzInstallation } from '#test/fuzz/bed/installation';
import { LINES, mutateRequest, TEMPLATES } from '#test/fuzz/bed/requests';
import { Dice, Tally } from '#test/fuzz/bed/tally';
import { Witness } from '#test/fuzz/bed/witness';
import { requires } from '../../requires.ts';
import { type OtherProxy, PROXIES } from './proxies.ts';

const SEED = 7;
const MUTANTS = 600;
const AT_ONCE = 12;
/** Milliseconds without a byte after which a connection has said all it will. */
const SILENCE = 60;

/** Every way of framing with every other, then mutants of all templates. */
function corpus(cookie: string): string[] {
  const inputs: string[] = [];
  for (const line of LINES) {
    for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: y']) {
      const body = `0\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: ${HOST}\r\nCookie: ${cookie}\r\n\r\n`;
      inputs.push(
        `POST /open/x HTTP/1.1\r\nHost: ${HOST}\r\nCookie: ${cookie}\r\n${framing}\r\n${line}\r\n\r\n${body}`,
      );
    }
  }
  const dice = new Dice(SEED);
  for (let i = 0; i < MUTANTS; i += 1)
    inputs.push(mutateRequest(dice.pick(TEMPLATES)(cookie), dice).join(''));
  return inputs;
}

async function each<T>(inputs: readonly T[], work: (input: T) => Promise<void>): Promise<void> {
  const queue = [...inputs];
  const worker = async (): Promise<void> => {
    for (let input = queue.shift(); input !== undefined; input = queue.shift()) await work(input);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function send(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    let timer = setTimeout(() => socket.destroy(), SILENCE * 5);
    socket.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), SILENCE);
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Behind the front, TLS already off. */
async function put(installation: FuzzInstallation, bytes: string): Promise<void> {
  const line = installation.line();
  line.say(Buffer.from(bytes, 'latin1'));
  for (let [quiet, seen] = [0, -1]; quiet < 3 && !line.destroyed; quiet += 1) {
    await sleep(SILENCE / 3);
    if (line.text.length !== seen) quiet = -1;
    seen = line.text.length;
  }
  line.destroy();
}

for (const kind of ['nginx', 'haproxy'] as const) {
  describe(kind, { skip: requires(kind) }, () => {
    test(`as the app: ${kind} sees what was allowed, once each, and nothing else`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-differential-'));
      let proxy: OtherProxy | undefined;
      const installation = await startFuzzInstallation(async (app) => {
        proxy = await PROXIES[kind](directory, { port: app });
        return proxy.port;
      });
      try {
        const tally = new Tally({ seconds: 600, seed: SEED });
        const allowed = new Map<string, string>();
        const { events } = installation;
        const witness = new Witness(
          { ...installation, events: () => events().map((event) => keep(allowed, event)) },
          tally,
        );
        const inputs = corpus(installation.cookie);
        await each(inputs, (input) => put(installation, input));
        await sleep(300);
        witness.check();
        assert.deepEqual(tally.failing, []);
        assert.deepEqual([tally.unrecordedAllows, tally.upstreamBytes], [0, 0]);
        const seen = proxy?.log() ?? [];
        assert.ok(witness.arrived > inputs.length / 20, `${witness.arrived} arrived`);
        const ids = new Set<string>();
        for (const { method, target, requestId } of seen) {
          assert.equal(
            allowed.get(requestId),
            `${method} ${target.split('?', 1)[0]}`,
            `${kind} saw ${method} ${target}`,
          );
          assert.ok(!ids.has(requestId), `${requestId} twice`);
          ids.add(requestId);
        }
      } finally {
        await installation.close();
        await proxy?.stop();
        rmSync(directory, { recursive: true, force: true });
      }
    });

    test(`as the front: the gateway sees no request that ${kind} did not send`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-differential-'));
      const installation = await startFuzzInstallation();
      const proxy = await PROXIES[kind](directory, { port: installation.people, serverName: HOST });
      try {
        const tally = new Tally({ seconds: 600, seed: SEED });
        const allowed = new Map<string, string>();
        const { events } = installation;
        let asked = 0;
        const witness = new Witness(
          {
            ...installation,
            events: () =>
              events().map((event) => {
                if (/^(?:access-|request-refused)/.test(event.event.action)) asked += 1;
                return keep(allowed, event);
              }),
          },
          tally,
        );
        witness.check();
        asked = 0;
        allowed.clear();
        const inputs = corpus(installation.cookie);
        await each(inputs, (input) => send(proxy.port, input));
        await sleep(500);
        witness.check();
        assert.deepEqual(tally.failing, []);
        assert.deepEqual([tally.unrecordedAllows, tally.upstreamBytes], [0, 0]);
        const forwarded = proxy.log().filter((line) => line.forwarded);
        assert.ok(forwarded.length > inputs.length / 20, `${forwarded.length} were sent on`);
        assert.ok(
          asked <= forwarded.length,
          `the gateway saw ${asked} requests, ${kind} sent ${forwarded.length}`,
        );
        const sent = new Map<string, number>();
        for (const { method, target } of forwarded) {
          const canonical = canonicalTarget(target, HOST);
          if (canonical.ok)
            sent.set(`${method} ${canonical.path}`, (sent.get(`${method} ${canonical.path}`) ?? 0) + 1);
        }
        for (const line of allowed.values()) {
          const left = sent.get(line) ?? 0;
          assert.ok(left > 0, `${line} was allowed once more than ${kind} sent it`);
          sent.set(line, left - 1);
        }
      } finally {
        await proxy.stop();
        await installation.close();
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });
}

type Event = ReturnType<FuzzInstallation['events']>[number];

/** Notes an allow by its id. */
function keep(allowed: Map<string, string>, event: Event): Event {
  if (event.sallyport?.decision?.verdict === 'allow')
    allowed.set(event.event.id, `${event.http?.request?.method} ${event.url?.path}`);
  return event;
}
