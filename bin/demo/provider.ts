// A real OpenID provider (oidc-provider, certified) with the demo's people. For trying out and tests only:
// it asks for no password, so a gateway for real use must never be pointed at it.
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { html, raw } from 'hono/html';
import type { ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { Agent, fetch as undiciFetch } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { PEOPLE, type Person } from './people.ts';

export interface ProviderOptions {
  readonly issuer: string;
  readonly port: number;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly client: { readonly id: string; readonly secret: string; readonly redirectUris: readonly string[] };
  readonly people?: readonly Person[];
  /** Private keys it signs with; some of its own if left out. */
  readonly jwks?: { readonly keys: readonly object[] };
  /** Where it says that somebody signed out, and the PEM that this address's certificate chains to. */
  readonly backchannel?: { readonly uri: string; readonly ca: string };
}

/** How somebody signs in: the authentication methods (RFC 8176) that each button stands for. */
const WAYS: Readonly<Record<string, { readonly label: string; readonly amr: readonly string[] }>> = {
  password: { label: 'password only', amr: ['pwd'] },
  key: { label: 'password and security key', amr: ['pwd', 'hwk', 'mfa'] },
};

export async function startProvider(options: ProviderOptions): Promise<Server> {
  const people = options.people ?? PEOPLE;
  const provider = await withoutProductionWarnings(async () => {
    const { default: Provider } = await import('oidc-provider');
    return new Provider(options.issuer, configuration(options, people));
  });
  provider.proxy = false;
  const callback = provider.callback();
  const server = createServer({ ...options.certificate }, (request, response) => {
    const url = new URL(request.url ?? '/', options.issuer);
    const interaction = /^\/interaction\/([\w-]+)$/.exec(url.pathname);
    if (interaction === null) {
      void callback(request, response);
      return;
    }
    const respond = async (): Promise<void> => {
      const person = people.find(({ id }) => id === url.searchParams.get('person'));
      const way = WAYS[url.searchParams.get('way') ?? ''];
      if (person === undefined || way === undefined) {
        await provider.interactionDetails(request, response);
        const page = await signInPage(people, url.pathname);
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
        response.end(page);
        return;
      }
      const login = { accountId: person.id, amr: [...way.amr], remember: false };
      await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
    };
    respond().catch(() => {
      response.writeHead(400, { 'Content-Type': 'text/plain' });
      response.end('This sign-in has expired. Go back to the app and start again.\n');
    });
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The library warns that memory and quick-start keys are no way to run a provider in production: true, and not done here. */
async function withoutProductionWarnings<T>(make: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = (...words: unknown[]) => {
    if (!String(words[0]).includes('oidc-provider WARNING')) warn(...words);
  };
  try {
    return await make();
  } finally {
    console.warn = warn;
  }
}

function configuration(
  { client, issuer, backchannel, jwks }: ProviderOptions,
  people: readonly Person[],
): Configuration {
  const metadata: ClientMetadata = {
    client_id: client.id,
    client_secret: client.secret,
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: client.redirectUris.map((uri) => `${new URL(uri).origin}/sign-out`),
    response_types: ['code'],
    grant_types: ['authorization_code'],
    ...(backchannel === undefined
      ? {}
      : { backchannel_logout_uri: backchannel.uri, backchannel_logout_session_required: true }),
  };
  return {
    clients: [metadata],
    ...(jwks === undefined ? {} : { jwks: jwks as NonNullable<Configuration['jwks']> }),
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true, logoutSource: signOutPage },
      backchannelLogout: { enabled: backchannel !== undefined },
    },
    ...(backchannel === undefined ? {} : { fetch: fetchTrusting(backchannel.ca) }),
    claims: {
      openid: ['sub', 'amr'],
      profile: ['name', 'groups'],
      email: ['email', 'email_verified'],
      amr: null,
      auth_time: null,
    },
    conformIdTokenClaims: false,
    cookies: { keys: [client.secret] },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    ttl: {
      Session: 3600,
      Interaction: 600,
      Grant: 3600,
      AccessToken: 300,
      IdToken: 300,
      AuthorizationCode: 60,
    },
    // One organisation's own provider asks nobody for consent to its own apps.
    loadExistingGrant: async (context: KoaContextWithOIDC) => {
      const { provider, session, client: asking } = context.oidc;
      const grant = new provider.Grant({ clientId: asking?.clientId, accountId: session?.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
    findAccount: (_context, id) => {
      const person = people.find((one) => one.id === id);
      if (person === undefined) return undefined;
      const { name, email, groups } = person;
      return {
        accountId: id,
        claims: () => ({ sub: id, name, email, email_verified: true, groups: [...groups] }),
      };
    },
    renderError: (context, out) => {
      context.type = 'text/plain';
      context.body = `${issuer}: ${out.error}: ${out.error_description ?? ''}\n`;
    },
  };
}

/** How the provider reaches addresses of its clients: on this machine, with the authority made for it. */
function fetchTrusting(ca: string): typeof fetch {
  const dispatcher = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
  return ((url: string, options: object) =>
    undiciFetch(url, { ...options, dispatcher })) as unknown as typeof fetch;
}

const STYLE =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem;background:#fbf9f4;color:#222}section{border:1px solid #d8d2c2;border-radius:.7rem;padding:1rem 1.2rem;margin:1rem 0;background:#fff}h2{margin:0;font-size:1.1rem}p{margin:.2rem 0 .8rem;color:#555}a,button{display:inline-block;margin:0 .6rem .4rem 0;padding:.45rem .8rem;border:0;border-radius:.5rem;background:#5b3f8c;color:#fff;font:inherit;text-decoration:none}';

/** `form` is the library's, without a button. */
function signOutPage(context: KoaContextWithOIDC, form: string): void {
  context.body = page(
    html`<h1>Sign out here too?</h1><p>Then the next sign-in asks who you are again.</p>${raw(form)}<button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`,
  ).toString();
}

function page(body: ReturnType<typeof html>): ReturnType<typeof html> {
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Demo identity provider</title><style>${raw(STYLE)}</style></head><body><main>${body}</main></body></html>`;
}

async function signInPage(people: readonly Person[], path: string): Promise<string> {
  const rows = people.map(
    (person) =>
      html`<section><h2>${person.name}</h2><p>${person.about}</p>${Object.entries(WAYS).map(
        ([way, { label }]) =>
          html`<a href="${path}?person=${person.id}&way=${way}">Sign in with ${label}</a>`,
      )}</section>`,
  );
  const choice = html`<h1>Demo identity provider</h1><p>Choose who you are. Nobody is asked for a password here.</p>${rows}`;
  return String(await page(choice));
}
