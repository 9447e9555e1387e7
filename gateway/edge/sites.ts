// Which of our sites a host name belongs to: the portal or one app. An exact table; there are no wildcards.
import { CONNECT_PATH } from '#connectors/wire/terminal';
import type { GatewayConfig, HttpAppConfig, TcpAppConfig } from '#gateway/config';

export type Site = { readonly kind: 'portal' } | { readonly kind: 'app'; readonly app: HttpAppConfig };

export class Sites {
  readonly #sites = new Map<string, Site>();
  readonly #tcp = new Map<string, TcpAppConfig>();
  readonly #http = new Map<string, HttpAppConfig>();
  readonly #port: string;

  /** `port`: of the listener; the portal's if left out. */
  constructor(config: GatewayConfig, port?: number) {
    const portal = new URL(config.portal);
    const own = port === undefined ? portal.port : String(port).replace(/^443$/, '');
    this.#port = own === '' ? '' : `:${own}`;
    this.#sites.set(portal.hostname, { kind: 'portal' });
    for (const app of config.apps) {
      if (app.protocol === 'http') {
        this.#sites.set(app.host, { kind: 'app', app });
        this.#http.set(app.id, app);
      } else this.#tcp.set(app.id, app);
    }
  }

  /** `authority` is the Host header: a port in it must be ours, since apps build links from what we pass on. */
  get(host: string, authority: string | undefined): Site | undefined {
    const port = authority?.slice(host.length) ?? '';
    return port === '' || port === (this.#port || ':443') ? this.#sites.get(host) : undefined;
  }

  /** The app of a host name. */
  byHost(host: string): HttpAppConfig | undefined {
    const site = this.#sites.get(host);
    return site?.kind === 'app' ? site.app : undefined;
  }

  /** An app by its id. */
  httpApp(id: string): HttpAppConfig | undefined {
    return this.#http.get(id);
  }

  /** The TCP app that a path on the portal's host asks to be connected to. */
  tcpApp(path: string): TcpAppConfig | undefined {
    return path.startsWith(CONNECT_PATH) ? this.tcpAppById(path.slice(CONNECT_PATH.length)) : undefined;
  }

  tcpAppById(id: string): TcpAppConfig | undefined {
    return this.#tcp.get(id);
  }

  /** Every name a certificate must cover. */
  get hosts(): readonly string[] {
    return [...this.#sites.keys()];
  }

  /** The origin of one of our hosts: all share the portal's port. */
  originOf(host: string): string {
    return `https://${host}${this.#port}`;
  }

  /** Browsers name the page that opens a WebSocket; only the app's own and those it lists may (CWE-1385). */
  mayUpgrade(app: HttpAppConfig, origin: string | undefined): boolean {
    return origin !== undefined && (origin === this.originOf(app.host) || app.origins.includes(origin));
  }
}
