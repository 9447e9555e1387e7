// How the end of a tunnel is recorded: by a code of ours, whatever words a connector leaves with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tunnelEvents } from '#gateway/listeners';
import type { ConnectorDisconnected } from '#siem/connector-event';
import { Mapper } from '#siem/ecs/mapper';
import type { SallyportEvent } from '#siem/event';
import type { Recorder } from '#siem/recorder';
import { quiet } from '../../siem/sinks/contract.ts';

for (const [code, reason, recorded] of [
  ['protocol', 'the peer says: revoked', 'protocol'],
  ['refused', 'the peer says: certificate-revoked', 'refused'],
  ['silent', 'nothing heard for 8 s after a ping', 'silent'],
  ['going-away', 'drained', 'going-away'],
  ['refused', 'certificate-revoked', 'certificate-revoked'],
] as const) {
  test(`${code}, "${reason}": ${recorded}`, () => {
    const events: SallyportEvent[] = [];
    const recorder = { record: async (event: SallyportEvent) => void events.push(event) };
    const { onDisconnect } = tunnelEvents(recorder as unknown as Recorder, quiet, () => 2_000);
    const status = { connector: 'rack-1', address: '192.0.2.1', connectedAt: 1_000, streams: 0 };
    onDisconnect(status as Parameters<typeof onDisconnect>[0], reason, code);
    const [event] = events as [ConnectorDisconnected];
    const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' });
    const document = mapper.document(event, 'id', 2_000);
    assert.deepEqual([document.event['code'], document.event['reason']], [recorded, reason]);
  });
}
