// `sallyport verify-assertion`: checks an assertion as a back end must, once or for a web server that asks each time.
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { FetchImplementation, JSONWebKeySet } from 'jose';
import { Agent, fetch as undiciFetch } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { AssertionError, createVerifier, type Seen, type Verify } from '#gateway/pki/verify';
import { describeError } from '#siem/system-error';
import { answerChecks } from '../assertion-checks.ts';
import { EXIT } from '../exit.ts';
import { readAuthority } from '../read-authority.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport verify-assertion --issuer URL --app ID [options] < ASSERTION
       sallyport verify-assertion --issuer URL --app ID --listen 127.0.0.1:PORT [options]

Checks the assertion that a gateway sent with a request (the value of X-Sallyport-Assertion) as a back end must, and
prints its claims. With --listen it answers web servers that ask for each request, like nginx with auth_request: 204
with X-Sallyport-Subject, -Email and -Groups for a good assertion, else 401 with the reason.

Options:
  --issuer URL        The portal's origin, https://access.example.com
  --app ID            The app's id at the gateway; may be given several times
  --keys FILE|URL     The key set; without it, the issuer's /.well-known/jwks.json
  --ca FILE           PEM of the authority to trust when the keys are got
  --certificate FILE  The client certificate of the connection (PEM), for an assertion that is bound to one
  --method METHOD     The request's method and absolute address, for an assertion
  --url URL             that is bound to one request
  --listen ADDRESS    Answer on this loopback address until it is stopped; it takes the assertion from the request's
                      X-Sallyport-Assertion, method and address from X-Original-Method and X-Original-URL, and the
                      client certificate, percent-encoded PEM, from X-Original-Certificate
  --require-certificate
                      Refuse assertions that are not bound to a client certificate

The assertion is read from standard input: what stands in a command line can be read by others.

Exit codes: 0 good, 1 not good (the reason is on stderr), 2 wrong usage.

Example: sallyport verify-assertion --issuer https://access.example.com --app wiki < assertion
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('verify-assertion', argv, {
    issuer: { type: 'string' },
    app: { type: 'string', multiple: true },
    keys: { type: 'string' },
    ca: { type: 'string' },
    certificate: { type: 'string' },
    method: { type: 'string' },
    url: { type: 'string' },
    listen: { type: 'string' },
    'require-certificate': { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { issuer, app: audience, keys, ca, certificate, method, url, listen } = parsed.values;
  if (issuer === undefined || audience === undefined || parsed.positionals.length > 0) {
    return wrong(
      'use `sallyport verify-assertion --issuer URL --app ID`, with the assertion on standard input',
    );
  }
  if (!URL.canParse(issuer) || new URL(issuer).origin !== issuer) {
    return wrong(
      `--issuer ${JSON.stringify(issuer)} is not an origin; expected one like https://access.example.com`,
    );
  }
  let verify: Verify;
  let seen: Seen;
  try {
    const trusted = ca === undefined ? {} : { fetch: trusting(readAuthority(ca)) };
    const requireCertificate = parsed.values['require-certificate'];
    verify = createVerifier({ issuer, audience, requireCertificate, ...keySource(keys), ...trusted });
    seen = { method, url, certificate: certificate === undefined ? undefined : readFileSync(certificate) };
  } catch (error) {
    return wrong(describeError(error));
  }
  if (listen === undefined) return once(verify, seen);
  const at = /^(127\.[0-9.]+|\[::1\]):([0-9]{1,5})$/.exec(listen);
  if (at?.[1] === undefined) {
    return wrong(
      `--listen ${JSON.stringify(listen)} is not a loopback address; expected one like 127.0.0.1:9191`,
    );
  }
  return answerChecks(verify, { host: at[1].replaceAll(/[[\]]/g, ''), port: Number(at[2]) });
}

async function once(verify: Verify, seen: Seen): Promise<number> {
  try {
    const claims = await verify((await text(process.stdin)).trim(), seen);
    process.stdout.write(`${JSON.stringify(claims, null, 2)}\n`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    process.stderr.write(`sallyport verify-assertion: ${error.code}: ${error.message}\n`);
    return EXIT.no;
  }
}

function keySource(keys: string | undefined): { keys?: URL | JSONWebKeySet } {
  if (keys === undefined) return {};
  if (/^https?:/.test(keys)) return { keys: new URL(keys) };
  const set: JSONWebKeySet = JSON.parse(readFileSync(keys, 'utf8'));
  if (!Array.isArray(set?.keys)) throw new Error(`${keys} is not a key set (RFC 7517): it has no "keys"`);
  return { keys: set };
}

function trusting(ca: string): FetchImplementation {
  const dispatcher = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
  return (url, init) => undiciFetch(url, { ...init, dispatcher } as object) as unknown as Promise<Response>;
}

function wrong(message: string): number {
  process.stderr.write(`sallyport verify-assertion: ${message}\n`);
  return EXIT.usage;
}
