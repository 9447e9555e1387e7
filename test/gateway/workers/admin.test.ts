// The admin socket of several workers: what is answered when one of them dies over a question.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adminSocket } from '#gateway/console/admin';
import { adminOfAll } from '#gateway/workers/admin';
import { workerDirectory } from '#gateway/workers/share';

/** A supervisor's socket in front of two workers: the first answers, the second does as told. */
async function asked(t: TestContext, method: string, path: string, second: RequestListener): Promise<number> {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-admins-'));
  chmodSync(state, 0o700);
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const good: RequestListener = (_, response) => void response.end('{"problems":[],"connectors":[]}');
  for (const [index, listener] of [good, second].entries()) {
    const directory = workerDirectory(state, index + 1);
    mkdirSync(directory, { recursive: true });
    const worker = createServer(listener);
    await new Promise<void>((resolve) => worker.listen(adminSocket({ state: directory }), resolve));
    t.after(() => worker.close());
  }
  const workers = [1, 2].map((number) => ({ number, health: 1 }));
  const server = await adminOfAll({ state } as never, workers as never);
  t.after(() => server.close());
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: adminSocket({ state }), method, path }, (reply) => {
      reply.resume().on('end', () => resolve(reply.statusCode ?? 0));
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
    assert.equal(await asked(t, 'POST', '/v1/changes', second), 200);
  });

  test(`of what it would have missed for good, one that dies ${name} it answers is told`, async (t) => {
    assert.equal(await asked(t, 'POST', '/v1/ssh-authority/rotate', second), 503);
  });
}
