// Which connectors are behind a session: the one that dialled it, or all that another gateway names on its link. Who decides
// on a request then chooses among all connectors of the installation alike; naming one gives it no app of its own.
import type { Hello } from '#connectors/wire/hello';
import { wayId } from '#connectors/wire/hello';
import type { Session } from '#connectors/wire/session';
import type { Offer, TunnelPeer } from './relay.ts';
import { Tunnel } from './tunnel.ts';

/** As many as there are connectors behind it, and one for the apps of which it does not say whose they are. */
export function tunnelsOf(
  session: Session,
  peer: TunnelPeer,
  hello: Hello,
  connectedAt: number,
): readonly Tunnel[] {
  const { ways = [], software } = peer.relay === true ? hello : { ...hello, ways: [] };
  const named = new Set(ways.map(({ app }) => app));
  // The other gateway goes by its own configuration, which may be an older one.
  const numbered = ways
    .map((way, index) => ({ ...way, id: wayId(index) }))
    .filter(({ app, connector }) => peer.apps.has(app) && peer.serves?.(app, connector) !== false);
  const apps = [...new Set(hello.apps)].filter((app) => peer.apps.has(app) && !named.has(app));
  const runs = Map.groupBy(numbered, ({ connector, instance }) => `${instance} ${connector}`);
  const behind = [...runs.values()].map((some) => {
    const [{ connector, instance } = { connector: '', instance: '' }] = some;
    const ids = new Map(some.map(({ app, id }) => [app, id]));
    const shown = some.flatMap(({ app, certificate }) => (certificate ? [[app, certificate]] : []));
    const said = { instance, software, certificates: Object.fromEntries(shown) };
    return new Tunnel(peer, session, [...ids.keys()], said, connectedAt, { connector, ids });
  });
  if (behind.length > 0 && apps.length === 0) return behind;
  return [...behind, new Tunnel(peer, session, apps, hello, connectedAt)];
}

/** The app by itself, for gateways that do not choose, and each connector's run that serves it here. */
export function offersOf(app: string, own: readonly Tunnel[]): readonly Offer[] {
  if (own.length === 0) return [];
  // The same one each time it is asked, however busy which connector is.
  const shown = (tunnels: readonly Tunnel[]): string | undefined =>
    tunnels.map((tunnel) => tunnel.certificate(app)).toSorted()[0];
  const runs = Map.groupBy(own, ({ connector, instance }) => `${instance} ${connector}`);
  return [
    { app, certificate: shown(own) },
    ...[...runs.values()].flatMap((tunnels) => {
      const [one] = tunnels;
      if (one === undefined) return [];
      const { connector, instance } = one;
      return [{ app, certificate: shown(tunnels), by: { connector, instance } }];
    }),
  ];
}
