// Getting a certificate: once with a token, then again and again with the certificate itself. Before the token's
// authority has been seen nothing is believed, and the token's secret goes only to a server that it vouches for.
import { createHash, X509Certificate } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { encodeEvidence, KEY_PROOF_PATH } from '../wire/evidence.ts';
import { outboundAgent } from '../wire/outbound.ts';
import { tlsFailure } from '../wire/tls-failure.ts';
import { certificatesIn, leadsTo } from './chain.ts';
import { type Identity, identityOf } from './identity.ts';
import { type KeyMaker, keyInFile, type RequestedKey } from './requested-key.ts';
import { EnrolError, type EnrolmentToken } from './token.ts';

const TIMEOUT = 10_000;
const MAX_ANSWER = 64 * 1024;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One HTTPS request on a connection of its own. @throws {EnrolError} `unreachable`, `bad-answer` */
function call(url: URL, tls: RequestOptions, body?: object): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const payload = body === undefined ? undefined : Buffer.from(encodeEvidence(body));
  const outgoing = request(url, {
    ...tls,
    method: payload === undefined ? 'GET' : 'POST',
    agent: outboundAgent({ keepAlive: false }),
    minVersion: 'TLSv1.3',
    headers:
      payload === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': payload.length },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  outgoing.on('error', (error) => {
    const why =
      error.name === 'AbortError' || error.name === 'TimeoutError' ? 'no answer in time' : tlsFailure(error);
    reject(new EnrolError('unreachable', `${url.origin} cannot be reached: ${why}`, true));
  });
  outgoing.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER) {
        outgoing.destroy();
        reject(new EnrolError('bad-answer', `${url.href} answered with more than ${MAX_ANSWER} bytes`));
      }
    });
    response.on('error', (error) =>
      reject(new EnrolError('unreachable', `${url.origin}: ${error.message}`, true)),
    );
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
  });
  outgoing.end(payload);
  return promise;
}

/**
 * The authority's certificate, fetched from a server that cannot be verified yet, and accepted only if it is the one
 * that the token names.
 */
async function fetchAuthority(gateway: URL, expected: string): Promise<string> {
  // The one place where a certificate is not checked: what comes back is checked against the token instead.
  const { status, body } = await call(new URL('/v1/ca', gateway), { rejectUnauthorized: false });
  const shown = status === 200 ? certificatesIn(body) : [];
  const named = shown.find(({ raw }) => createHash('sha256').update(raw).digest('hex') === expected);
  if (named === undefined) {
    throw new EnrolError(
      'authority-mismatch',
      `${gateway.origin} does not show the authority that the token names: it is another gateway, or somebody is in between. Nothing was sent to it.`,
    );
  }
  return named.toString();
}

/** What the gateway answered to a good request. @throws {EnrolError} with its own words */
function accepted({ status, body }: Answer): Record<string, unknown> {
  let members: Record<string, unknown>;
  try {
    members = (JSON.parse(body) as Record<string, unknown> | null) ?? {};
  } catch {
    members = {};
  }
  if (status === 201) return members;
  const { error, message } = members;
  const words = typeof message === 'string' ? message.replace(/[^\x20-\x7e’]/g, '?').slice(0, 300) : '';
  const code = typeof error === 'string' && /^[a-z-]{1,40}$/.test(error) ? error : `status ${status}`;
  throw new EnrolError('refused', `the gateway refused (${code}): ${words}`, status >= 500);
}

/**
 * Checks that the certificate is for our key and from our authority. The gateway, which was verified with what is trusted
 * now, also says what to trust from now on: so roots can change.
 */
function identityFrom(answer: Answer, { key, spki }: RequestedKey, ca: string): Identity {
  const { certificate, chain } = accepted(answer);
  if (typeof certificate !== 'string') throw new EnrolError('bad-answer', 'the answer holds no certificate');
  const trusted = typeof chain === 'string' && certificatesIn(chain).length > 0 ? chain : ca;
  const identity = identityOf(key, certificate, trusted);
  if (!leadsTo(certificatesIn(certificate), certificatesIn(trusted))) {
    throw new EnrolError('bad-answer', 'the certificate was not issued by the authority of the token');
  }
  const { publicKey } = new X509Certificate(certificate);
  if (!publicKey.export({ type: 'spki', format: 'der' }).equals(spki)) {
    throw new EnrolError('bad-answer', 'the certificate is for another key than the one that was made here');
  }
  return identity;
}

/** What proves that the key is where it cannot be taken from; undefined for one in a file. @throws {EnrolError} */
async function proofOf(requested: RequestedKey, gateway: URL, ca: string): Promise<object | undefined> {
  const offer = async (keys: object): Promise<unknown> =>
    accepted(await call(new URL(KEY_PROOF_PATH, gateway), { ca }, keys));
  return requested.prove?.(offer);
}

/** Spends a token for a first identity. @throws {EnrolError} */
export async function enrol(
  gateway: URL,
  token: EnrolmentToken,
  make: KeyMaker = keyInFile,
): Promise<Identity> {
  const ca = await fetchAuthority(gateway, token.ca);
  const requested = await make();
  const { csr } = requested;
  const proof = await proofOf(requested, gateway, ca);
  const answer = await call(new URL('/v1/enrol', gateway), { ca }, { token: token.text, csr, proof });
  return identityFrom(answer, requested, ca);
}

/**
 * The next certificate for an identity that still holds. One whose key TLS cannot use here is shown in the request, and
 * the proof is for that very key. `ca` as `Identity.ca`. @throws {EnrolError}
 */
export async function renew(gateway: URL, identity: Identity, make: KeyMaker = keyInFile): Promise<Identity> {
  const { ca, certificate, key } = identity;
  const requested = await make();
  const { csr } = requested;
  const proof = await proofOf(requested, gateway, ca);
  const url = new URL('/v1/renew', gateway);
  const answer =
    proof === undefined
      ? await call(url, { ca, cert: certificate, key }, { csr })
      : await call(url, { ca }, { csr, proof, certificate });
  return identityFrom(answer, requested, ca);
}

/** When to renew: two thirds into the certificate's life. Epoch milliseconds. */
export function renewalTime({ notBefore, notAfter }: Identity): number {
  return notBefore + ((notAfter - notBefore) * 2) / 3;
}
