// Another implementation of the Workload API: Google's gRPC server with the SPIFFE project's own messages, which also
// finds the SVID good that it hands out. Needs go and its proxy.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkloadApi, type WorkloadIdentity } from '#connectors/cluster/workload-api';
import {
  authority,
  CLIENT,
  certify,
  keyPem,
  newKeys,
  pemOf,
} from '#test/gateway/identity/service-certificates';
import { requires } from '#test/requires';
import { Part, until } from '#test/story/part';

const MODULES = ['github.com/spiffe/go-spiffe/v2@v2.6.0', 'google.golang.org/grpc@v1.76.0'];
const ID = 'spiffe://prod.example/rack';

test('an agent in Go tells the connector who it is, and it goes on when the agent is restarted', {
  skip: requires('go'),
}, async (t) => {
  const module = mkdtempSync(join(tmpdir(), 'sallyport-agent-'));
  t.after(() => rmSync(module, { recursive: true, force: true }));
  const at = (name: string): string => join(module, name);
  const now = Date.now();
  const root = await authority('Prod', now, undefined, { uris: ['spiffe://prod.example'] });
  const leaf = await certify(
    'rack',
    await newKeys(),
    root,
    { uris: [ID], purposes: [CLIENT], ca: false },
    now,
  );
  writeFileSync(at('chain.pem'), pemOf(leaf));
  writeFileSync(at('key.pem'), await keyPem(leaf));
  writeFileSync(at('bundle.pem'), pemOf(root));
  copyFileSync(join(import.meta.dirname, 'agent.go'), at('main.go'));
  const go = (...words: string[]): string =>
    execFileSync('go', words, { cwd: module, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  go('mod', 'init', 'agent');
  try {
    go('get', ...MODULES);
  } catch {
    t.skip('skipped: the Go modules of the peer cannot be fetched');
    return;
  }
  go('build', '-o', 'agent', '.');
  const start = async (): Promise<Part> => {
    rmSync(at('agent.sock'), { force: true });
    const words = [at('agent.sock'), ID, 'chain.pem', 'key.pem', 'bundle.pem'];
    const part = new Part('agent', at('agent'), words, { cwd: module, log: at('agent.log') });
    t.after(() => part.stop());
    await part.said(/agent ready/);
    return part;
  };
  const first = await start();
  const got: WorkloadIdentity[] = [];
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const api = new WorkloadApi({
    ...{ socket: at('agent.sock'), log, random: () => 0.01 },
    onUpdate: (one) => void got.push(one),
  });
  t.after(() => api.stop());
  await until('the first', () => got.length === 1);
  assert.equal(got[0]?.spiffeId, ID);
  assert.equal(got[0]?.client.cert.replaceAll(/\s/g, ''), pemOf(leaf).replaceAll(/\s/g, ''));
  assert.ok(got[0]?.bundles.has('prod.example'));
  await first.stop();
  await start();
  await until('again', () => got.length === 2);
});
