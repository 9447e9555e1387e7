// The authorities of one gateway that is two workers, each with an intermediate of its own: what an admin asks for is done
// at both, and not at one of them alone; also where the root is kept elsewhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REDIS_NEEDS } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { stepsOf } from '#test/story/steps';
import type { FleetGateway } from './state/fleet-gateway.ts';
import { pidOf, twoWorkers } from './state/workers.ts';

const skip = requires(...REDIS_NEEDS, 'openssl');
const LAUNCHER = join(import.meta.dirname, '../../bin/sallyport.js');
const NAMES = ['--trust-domain', 'sallyport.internal', '--host', 'localhost', '--host', '127.0.0.1'] as const;
const WORKERS = [1, 2] as const;

const authorityOf = (directory: string, worker: number): string =>
  join(directory, `state/worker-${worker}/connector-ca`);

/** Serial numbers of the intermediates whose keys a worker has. */
function serialsOf(directory: string, worker: number): string[] {
  const cwd = authorityOf(directory, worker);
  return globSync('issuing-*.key', { cwd }).map((file) => {
    const certificate = readFileSync(join(cwd, file.replace(/key$/, 'pem')));
    return new X509Certificate(certificate).serialNumber;
  });
}

async function good(gateway: FleetGateway, ...args: readonly string[]): Promise<string> {
  const { code, output } = await gateway.command('ca', ...args);
  assert.equal(code, 0, output);
  return output;
}

const count = (text: string, what: RegExp): number => [...text.matchAll(what)].length;

test('what is done with authorities is done at both workers', { skip, timeout: 240_000 }, async (t) => {
  const { gateway } = await twoWorkers(t);
  const step = stepsOf(t);
  const { directory } = gateway;
  const serials = (): string[] => WORKERS.flatMap((worker) => serialsOf(directory, worker));

  await step('both are shown, and what either issues is verified with what is exported', async () => {
    const shown = await good(gateway, 'show');
    for (const worker of WORKERS) assert.match(shown, new RegExp(`connector-ca of worker ${worker}\n`));
    for (const serial of serials()) assert.ok(shown.includes(serial));
    assert.equal(count(await good(gateway, 'export'), /BEGIN CERTIFICATE/g), 3);
  });

  await step('a rotation is one of both, and waits for one that is away', async () => {
    const pid = await until('the worker is there', () => pidOf(gateway, 2));
    process.kill(pid, 'SIGKILL');
    await until('it is gone', async () => (await gateway.metric('sallyport_worker_up')) === 1);
    const refused = await gateway.command('ca', 'rotate');
    assert.equal(refused.code, 1);
    assert.match(refused.output, /worker 2 is not there: try again/);
    assert.equal(serials().length, 2, 'nothing was done');
    await until('both serve', async () => (await gateway.metric('sallyport_worker_up')) === 2);
    const said = await good(gateway, 'rotate');
    for (const worker of WORKERS) {
      const [, serial = ''] = new RegExp(`of worker ${worker} issues with (\\w+)`).exec(said) ?? [];
      assert.ok(serialsOf(directory, worker).includes(serial), said);
      assert.equal(serialsOf(directory, worker).length, 2);
    }
    // One for each intermediate whose key is there, and of each worker an empty one of the root.
    assert.equal(count(await good(gateway, 'crl'), /BEGIN X509 CRL/g), 6);
  });

  await step('a root that was taken away signs for both, with one file there and one back', async () => {
    const at = (file: string): string => join(directory, file);
    mkdirSync(at('vault'), { mode: 0o700 });
    for (const file of ['ca.pem', 'root.key', 'passphrase'])
      copyFileSync(join(authorityOf(directory, 1), file), at(`vault/${file}`));
    for (const worker of WORKERS) rmSync(join(authorityOf(directory, worker), 'root.key'));
    assert.match((await gateway.command('ca', 'rotate')).output, /is kept elsewhere/);
    await good(gateway, 'intermediate', 'csr', '--out', 'edge.csr');
    assert.equal(count(readFileSync(at('edge.csr'), 'utf8'), /BEGIN CERTIFICATE REQUEST/g), 2);
    const sign = ['intermediate', 'sign', '--dir', 'vault', '--csr', 'edge.csr', '--out', 'edge.pem'];
    const signed = spawnSync(process.execPath, [LAUNCHER, 'ca', ...sign, ...NAMES], { cwd: directory });
    assert.equal(signed.status, 0, String(signed.stderr));
    await good(gateway, 'intermediate', 'import', '--certificate', 'edge.pem');
    const shown = await good(gateway, 'show');
    for (const worker of WORKERS) {
      assert.equal(serialsOf(directory, worker).length, 3);
      assert.ok(serialsOf(directory, worker).some((serial) => shown.includes(serial)));
    }
    assert.equal(count(shown, /connector-ca of worker \d\n.* offline\n/g), 2);
  });
});

test('two workers start below a root that was never there', { skip, timeout: 240_000 }, async (t) => {
  const { gateway } = await twoWorkers(t, {
    prepare: (directory) => {
      const ca = (...args: readonly string[]): void => {
        const { status, stderr } = spawnSync(process.execPath, [LAUNCHER, 'ca', ...args], { cwd: directory });
        assert.equal(status, 0, String(stderr));
      };
      const config = ['--config', 'gateway.yaml'];
      mkdirSync(join(directory, 'vault'), { mode: 0o700 });
      ca('init', '--dir', 'vault');
      ca('intermediate', 'csr', ...config, '--out', 'edge.csr');
      ca('intermediate', 'sign', '--dir', 'vault', '--csr', 'edge.csr', '--out', 'edge.pem', ...NAMES);
      ca(
        'intermediate',
        'import',
        ...config,
        ...['--certificate', 'edge.pem', '--root', join(directory, 'vault/ca.pem')],
      );
    },
  });
  // Its connector has enrolled by now.
  const shown = await good(gateway, 'show');
  assert.equal(count(shown, /connector-ca of worker \d\n.* offline\n/g), 2);
  for (const worker of WORKERS) {
    const [serial = ''] = serialsOf(gateway.directory, worker);
    assert.ok(shown.includes(serial));
  }
});
