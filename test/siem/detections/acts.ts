// Things that people, connectors and strangers do, for scenes: the full examples with what matters changed.
import type { Reason } from '#policy/decision';
import type { EventKind, EventOf, SallyportEvent } from '#siem/event';
import { examples } from '../ecs/examples.ts';
import type { Step } from './scene.ts';

export function like<K extends EventKind>(kind: K, changes: Partial<EventOf<K>> = {}): EventOf<K> {
  return { ...(examples[kind] as EventOf<K>), ...changes };
}

interface Access {
  readonly country?: string | undefined;
  readonly device?: string;
  readonly app?: string;
  readonly person?: string;
  /** Of a denial. */
  readonly reason?: Reason;
  /** A service asks, in the person's name or in its own. */
  readonly service?: 'acting' | 'itself';
}

export function access(verdict: 'allow' | 'deny', about: Access = {}): SallyportEvent {
  const { country = 'DE', device = 'laptop-17', app = 'grafana.prod', person } = about;
  const { reason = 'no-rule-matched', service } = about;
  const { input, client, acting } = examples['access-decided'];
  const own = service === 'itself' ? { kind: 'service', id: 'spiffe://prod.example/front' } : {};
  const subject = { ...input.subject, ...(person === undefined ? {} : { id: person }), ...own };
  return like('access-decided', {
    decision: verdict === 'deny' ? { verdict, reason } : { verdict, reason: 'rule', rule: { id: 'sre' } },
    input: {
      ...input,
      subject,
      device: { id: device },
      target: { ...input.target, app },
    },
    client: { ...client, country },
    acting: service === 'acting' ? acting : undefined,
  } as Partial<EventOf<'access-decided'>>);
}

/** The same thing `count` times, `every` seconds apart. */
export function times(
  count: number,
  every: number,
  event: SallyportEvent | ((index: number) => SallyportEvent),
): Step[] {
  return Array.from({ length: count }, (_, index) => ({
    after: index * every,
    event: typeof event === 'function' ? event(index) : event,
  }));
}

export function from(address: string): { readonly client: EventOf<'login-failed'>['client'] } {
  return { client: { ...examples['login-failed'].client, address } };
}
