// The apps a person sees on the portal: those some rule opens to them, with what each would ask for right now.

import type { Way, Ways } from '#gateway/access/ways';
import type { AppConfig } from '#gateway/config';
import type { NetworkFacts } from '#gateway/context/facts';
import type { Standings } from '#gateway/context/standing';
import type { Sites } from '#gateway/edge/sites';
import type { TunnelRelays } from '#gateway/tunnel/relay';
import { INPUT_VERSION } from '#policy/input';
import type { AppCard } from './pages.ts';
import type { PortalParts } from './portal.ts';

export interface CardParts {
  readonly apps: readonly AppConfig[];
  readonly ways: Ways;
  readonly standings: Standings;
  readonly sites: Sites;
  readonly tunnels: Pick<TunnelRelays, 'available'>;
  readonly now: () => number;
}

export function cardsFor(parts: CardParts): PortalParts['cards'] {
  return async ({ session, network }) => {
    const { facts: device } = await parts.standings.of(session, network.address);
    const cards = await Promise.all(
      parts.apps.map(async (app) => {
        const asked = {
          version: INPUT_VERSION,
          at: parts.now(),
          subject: session.subject,
          login: session.login,
          ...(device === undefined ? {} : { device }),
          target:
            app.protocol === 'http'
              ? ({ app: app.id, protocol: 'http', method: 'GET', path: '/' } as const)
              : ({ app: app.id, protocol: 'tcp' } as const),
          network: network satisfies NetworkFacts,
        } as const;
        const { ruling } = await parts.ways.rule(session, asked);
        if (ruling.decision.verdict !== 'allow' && ruling.explanation?.entitled !== true) return [];
        const { name, description } = app;
        const way =
          app.protocol === 'http'
            ? { href: `${parts.sites.originOf(app.host)}/` }
            : { command: `sallyport connect ${app.id}` };
        return [{ name, description, ...way, state: state(app, ruling) }];
      }),
    );
    return cards.flat();
  };

  function state(app: AppConfig, ruling: Way['ruling']): AppCard['state'] {
    if (!parts.tunnels.available(app.id)) return 'Not reachable at the moment';
    if (ruling.decision.verdict === 'allow') return 'Ready';
    switch (ruling.explanation?.remedy.kind) {
      case 'step-up':
        return 'Asks for a second factor first';
      case 'enrol-device':
        return 'Asks for a known device';
      case 'mend-device':
        return 'Asks for a healthier device';
      case 'mend-connector':
        return 'Its connector has not proved its state';
      case 'wait-until':
        return 'Closed at this time';
      default:
        return 'Not open to you right now';
    }
  }
}
