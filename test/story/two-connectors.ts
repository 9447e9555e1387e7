// The documents of an installation with two connectors for one app, of which one attests its machine.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONNECTOR } from './documents.ts';
import type { StoryMachine } from './machine.ts';

/** The connector whose machine attests; rack-1, which is there as well, has no TPM to show. */
export const PROVEN = 'rack-2';

/** Both connectors serve the app; at `nowhere`, where the first says that it is, nothing listens. */
export function twoConnectors(directory: string, machine: StoryMachine, nowhere: number): void {
  const rewrite = (name: string, from: string, to: string): void => {
    const file = join(directory, name);
    const text = readFileSync(file, 'utf8');
    assert.ok(text.includes(from), `${name}: ${from}`);
    writeFileSync(file, text.replace(from, to));
  };
  const text = readFileSync(join(directory, 'connector.yaml'), 'utf8');
  const app = /^ {2}drop: .*$/m.exec(text)?.[0] ?? '';
  const gateway = /^gateway: .*$/m.exec(text)?.[0] ?? '';
  const at = 'host: drop.localhost, connectors: [';
  rewrite('gateway.yaml', `${at}${CONNECTOR}]`, `${at}${CONNECTOR}, ${PROVEN}]`);
  rewrite('policy.yaml', 'when: { device: hardened }', 'when: { connector: hardened }');
  rewrite('connector.yaml', app, `  drop: { url: "http://127.0.0.1:${nowhere}" }`);
  writeFileSync(
    join(directory, 'rack-2.yaml'),
    `version: 1
name: ${PROVEN}
${gateway}
state: ./rack-2-state
attestation: { tpm: "${machine.tpm.address}", eventLog: "${machine.eventLog}" }
apps:
${app}
`,
  );
}
