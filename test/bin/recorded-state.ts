// A gateway's state directory with decisions in its outbox, written as the gateway writes them.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AccessRequest } from '#policy/input';
import { loadPolicy } from '#policy/load';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { segmentPath } from '#siem/outbox/segment';
import { uuid7Generator } from '#siem/uuid7';

/** A state directory that holds one recorded decision of each user, decided by a document just now. */
export function stateWith(
  directory: string,
  document: string,
  users: readonly { id: string; groups: readonly string[] }[],
): string {
  const state = mkdtempSync(join(directory, 'state-'));
  const outbox = join(state, 'outbox');
  mkdirSync(outbox, { recursive: true });
  const now = Date.now();
  const newId = uuid7Generator(() => now);
  const mapper = new Mapper({ id: 'g1', name: 'gateway' } as never, 'test');
  const loading = loadPolicy(document, 'policy.yaml');
  assert.ok(loading.ok);
  const { policy } = loading;
  const lines = users.map(({ id, groups }) => {
    const input: AccessRequest = {
      version: 1,
      at: now,
      subject: { kind: 'user', id, groups, roles: [] },
      target: { app: 'wiki', protocol: 'http', method: 'GET', path: '/' },
      network: { address: '192.0.2.1' },
    };
    const decision = policy.decide(input, policy.prepare(input.subject));
    const event = {
      kind: 'access-decided',
      decision,
      policyHash: policy.hash,
      input,
      client: { address: '192.0.2.1' },
    } as const;
    return encodeLine(mapper.document(event as never, newId(), now));
  });
  writeFileSync(segmentPath(outbox, 1), lines.map((line) => `${line.trimEnd()}\n`).join(''));
  return state;
}
