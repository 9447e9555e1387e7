// The tunnel alone, without policy and record, beside nginx as a TLS reverse proxy in the same run.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startConnector, startGateway } from '#test/story/tunnel/processes';
import { type BenchOptions, type BenchReport, rounded, tableOf } from './report.ts';
import { childrenOf, load, startNginx } from './tunnel/nginx.ts';

const SIZES = [
  ['small', '/', 64],
  ['64kb', '/64k', 32],
  ['10mb', '/10m', 8],
] as const;

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  const steps: (() => void)[] = [];
  const cleanup = { after: (step: () => void): void => void steps.unshift(step) };
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  // nginx reads its files as another user when it is started by root.
  chmodSync(directory, 0o755);
  cleanup.after(() => rmSync(directory, { recursive: true, force: true }));
  try {
    const gateway = await startGateway(cleanup, { scheme: 'https' });
    const nginx = await startNginx(cleanup, directory, gateway.certificate);
    const up = gateway.lines.next('connected', 'one');
    const token = await gateway.token('one');
    const app = `http://127.0.0.1:${nginx.app}`;
    const connector = startConnector(cleanup, { name: 'one', gatewayPort: gateway.connectors, app, token });
    await up;
    const pid = connector.child.pid as number;
    const ours = { gateway: [gateway.child.pid as number], connector: [...childrenOf(pid), pid] };
    const figures: Record<string, number> = {};
    const rows = [
      ['', 'rps', 'p50 ms', 'p99 ms', 'gateway us', 'connector us', 'nginx rps', 'nginx us', 'ratio'],
    ];
    for (const [name, path, connections] of SIZES) {
      progress(`${name}: tunnel, then nginx, ${connections} connections`);
      const tunnel = await load(`https://127.0.0.1:${gateway.people}${path}`, connections, ours);
      const proxy = await load(`https://127.0.0.1:${nginx.proxy}${path}`, connections, {
        nginx: nginx.proxyPids,
      });
      if (tunnel.errors + proxy.errors > 0)
        throw new Error(`${name}: ${tunnel.errors} and ${proxy.errors} errors`);
      const row = {
        rps: tunnel.rps,
        p50_ms: tunnel.p50,
        p99_ms: tunnel.p99,
        gateway_cpu_us: tunnel.cpu['gateway'] ?? Number.NaN,
        connector_cpu_us: tunnel.cpu['connector'] ?? Number.NaN,
        nginx_rps: proxy.rps,
        nginx_cpu_us: proxy.cpu['nginx'] ?? Number.NaN,
        ratio_nginx_tls_rps: tunnel.rps / proxy.rps,
      };
      for (const [figure, value] of Object.entries(row)) figures[`${name}_${figure}`] = rounded(value);
      rows.push([name, ...Object.values(row).map((value) => String(rounded(value)))]);
    }
    return { versions: {}, figures, table: tableOf(rows) };
  } finally {
    for (const step of steps) step();
  }
}
