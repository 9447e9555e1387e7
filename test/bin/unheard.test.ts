// What serves goes on when nothing can be written where it tells of itself, as on a full disk.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveIdentity } from '#connectors/link/identity';
import { keyInFile } from '#connectors/link/requested-key';
import { openAuthority } from '#gateway/pki/authority';

const MAIN = join(import.meta.dirname, '../../bin/main.ts');

for (const words of ['', '--json']) {
  test(`a connector ${words}`, { skip: process.platform !== 'linux' }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-unheard-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
    const { key, csr } = await keyInFile();
    const [uri, grant] = [
      'spiffe://sallyport.internal/connector/rack-7',
      { kind: 'admin', id: 'test' },
    ] as const;
    const { certificate } = await authority.issueClient({ csr, uri, grant, life: 3_600_000 });
    const state = join(directory, 'connector-state');
    saveIdentity(state, { key, certificate, ca: authority.certificate, notBefore: 0, notAfter: 0 });

    // A gateway that breaks off each connection, which a connector tells of before it dials again.
    let dialled = 0;
    const { promise: again, resolve } = Promise.withResolvers<void>();
    const gateway = createServer((socket) => {
      dialled += 1;
      if (dialled === 6) resolve();
      socket.on('error', () => undefined).destroy();
    });
    await once(gateway.listen(0, '127.0.0.1'), 'listening');
    t.after(() => gateway.close());
    const { port } = gateway.address() as AddressInfo;
    const config = join(directory, 'connector.yaml');
    const app = 'apps: { wiki: { url: "http://127.0.0.1:1" } }';
    writeFileSync(config, `version: 1\nname: rack-7\ngateway: https://127.0.0.1:${port}\n${app}\n`);

    const script = `exec "$0" "$1" connector --config "$2" ${words} 2> /dev/full`;
    const child = spawn('sh', ['-c', script, process.execPath, MAIN, config], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    assert.equal(await Promise.race([again, ended]), undefined, 'it goes on');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });
}
