// The admin socket of several workers: what is answered when one of them dies over a question.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adminSocket } from '#gateway/console/socket';
import { adminOfAll } from '#gateway/workers/admin';
import { workerDirectory } from '#gateway/workers/share';

interface Told {
  readonly away?: readonly number[];
  readonly message?: string;
}

const good: RequestListener = (_, response) => void response.end('{"problems":[],"connectors":[]}');

/** A supervisor's socket in front of two workers: the first answers, the second does as told. */
async function asked(
  t: TestContext,
  method: string,
  path: string,
  second: RequestListener,
  health: readonly (1 | undefined)[] = [1, 1],
): Promise<{ readonly status: number; readonly body: Told; readonly retryAfter: string | undefined }> {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-admins-'));
  chmodSync(state, 0o700);
  t.after(() => rmSync(state, { recursive: true, force: true }));
  for (const [index, listener] of [good, second].entries()) {
    const directory = workerDirectory(state, index + 1);
    mkdirSync(directory, { recursive: true });
    const worker = createServer(listener);
    await new Promise<void>((resolve) => worker.listen(adminSocket({ state: directory }), resolve));
    t.after(() => worker.close());
  }
  const workers = [1, 2].map((number) => ({ number, health: health[number - 1] }));
  const server = await adminOfAll({ state } as never, workers as never);
  t.after(() => server.close());
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: adminSocket({ state }), method, path }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const { statusCode: status = 0, headers } = reply;
      reply.on('end', () =>
        resolve({ status, body: JSON.parse(text) as Told, retryAfter: headers['retry-after'] }),
      );
    });
    call.on('error', reject).end();
  });
}

const dies: RequestListener = (question) => void question.socket.destroy();
const diesSpeaking: RequestListener = (question, response) => {
  response.writeHead(200, { 'Content-Length': 100 }).write('{"prob', () => question.socket.destroy());
};

for (const [name, second] of [
  ['before', dies],
  ['while', diesSpeaking],
] as const) {
  test(`a worker that dies ${name} it answers takes up a change when it is started again: the others' word counts`, async (t) => {
    assert.equal((await asked(t, 'POST', '/v1/changes', second)).status, 200);
  });

  test(`one that dies ${name} it answers takes up a rotation later, and the answer says so`, async (t) => {
    const path = '/v1/ssh-authority/rotate';
    const { status, body } = await asked(t, 'POST', path, second);
    assert.deepEqual([status, body.away], [200, [2]]);
    assert.deepEqual((await asked(t, 'POST', path, good)).body.away, []);
  });

  test(`of what it would have missed for good, one that dies ${name} it answers is told`, async (t) => {
    assert.equal((await asked(t, 'POST', '/v1/drills', second)).status, 503);
  });
}

test('what takes all workers is refused while one is not there, and asked of none', async (t) => {
  let reached = 0;
  const { status, body } = await asked(t, 'POST', '/v1/drills', () => (reached += 1), [1, undefined]);
  assert.equal(status, 409);
  assert.match(String(body.message), /worker 2 is not there/);
  const change = await asked(t, 'POST', '/v1/changes', () => (reached += 1), [1, undefined]);
  assert.equal(change.status, 200, 'what it takes up later is not refused');
  assert.equal(reached, 0);
});

test('when one may ask again is said as the worker said it', async (t) => {
  const busy: RequestListener = (_, response) =>
    void response.writeHead(429, { 'Retry-After': '41' }).end('{"error":"too-many"}');
  const { status, retryAfter } = await asked(t, 'GET', '/v1/status', busy);
  assert.deepEqual([status, retryAfter], [429, '41']);
});
