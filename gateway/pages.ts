// Puts together what people see of the gateway itself: the portal, the doorway on each app's host, and the answers to
// requests that go no further.
import type { Log } from '#siem/log';
import { Answers, type AnswersParts } from './answers.ts';
import type { GatewayConfig } from './config.ts';
import type { Connections } from './edge/connections.ts';
import type { Sites } from './edge/sites.ts';
import { SignInTroubles } from './identity/sign-in-troubles.ts';
import type { SshDesk } from './pki/ssh/desk.ts';
import { type BackchannelParts, backchannelApp } from './portal/backchannel.ts';
import { type CardParts, cardsFor } from './portal/cards.ts';
import { cliApp } from './portal/cli.ts';
import { doorwayApp } from './portal/doorway.ts';
import { type PortalParts, portalApp } from './portal/portal.ts';
import { sshApp } from './portal/ssh.ts';

export interface PagesParts
  extends Omit<BackchannelParts, 'host'>,
    Pick<PortalParts, 'signIn' | 'signer' | 'devices' | 'recorder'>,
    Pick<CardParts, 'ways' | 'tunnels' | 'standings'>,
    Pick<AnswersParts, 'expectsEvidence'> {
  readonly config: GatewayConfig;
  readonly sites: Sites;
  readonly connections: Connections;
  readonly sshDesk: SshDesk | undefined;
  readonly log: Log;
}

export function answersFor(parts: PagesParts): Answers {
  const { config, sites, connections, sessions, strangers } = parts;
  const { origin, hostname: host } = new URL(config.portal);
  return new Answers({
    expectsEvidence: parts.expectsEvidence,
    portal: origin,
    sites,
    connections,
    portalApp: portalApp({
      ...parts,
      origin,
      troubles: new SignInTroubles(parts.log, parts.now),
      apps: config.apps,
      backchannel: backchannelApp({ ...parts, host }),
      cli: cliApp({ ...parts, origin }),
      ssh: sshApp(parts.sshDesk),
      originOf: (name) => sites.originOf(name),
      cards: cardsFor({ ...parts, apps: config.apps }),
    }),
    doorwayApp: doorwayApp(origin, sessions, strangers),
  });
}
