// docs/gateway.md lists every metric that a gateway or a supervisor shows, and none that is not there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Metrics } from '#gateway/console/metrics';
import { WorkersHealth } from '#gateway/workers/health';

const PAGE = fileURLToPath(new URL('../../../docs/gateway.md', import.meta.url));

/** Name, type, help and labels of each metric, as the page writes them. */
function rowsOf(exposition: string): string[] {
  return exposition
    .split(/^# HELP /m)
    .slice(1)
    .map((family) => {
      const [help = '', type = '', ...samples] = family.trimEnd().split('\n');
      const [name = '', ...words] = help.split(' ');
      const labels = new Map<string, string[]>();
      for (const sample of samples)
        for (const [, label = '', value = ''] of sample.matchAll(/([a-z]+)="([^"]*)"/g))
          labels.set(label, [...(labels.get(label) ?? []), `\`${value}\``]);
      const said = [...labels].map(([label, values]) =>
        label === 'worker' ? '`worker`' : `\`${label}\`: ${values.join(', ')}`,
      );
      return ['', `\`${name}\``, type.split(' ').at(-1), words.join(' '), said.join('; '), '']
        .join(' | ')
        .trim()
        .replace('|  |', '| |');
    });
}

test('the page and what is shown are one list', async () => {
  const gauges = { connectors: 0, tunnels: 0, openExchanges: 0, recording: true };
  const own = rowsOf(new Metrics().text(gauges));
  const workers = new WorkersHealth([{ number: 1, health: undefined, restarts: 0 }]);
  const all = [...own, ...rowsOf(await workers.metrics())];
  assert.ok(own.length > 8 && all.length === own.length + 2, all.join('\n'));
  const listed = readFileSync(PAGE, 'utf8').match(/^\| `(?:sallyport|process)_.*$/gm);
  assert.deepEqual(listed, all);
});
