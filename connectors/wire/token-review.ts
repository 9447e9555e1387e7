// The question whether a Kubernetes cluster accepts a token, as a gateway asks a connector beside that cluster: the
// TokenReview of its API (authentication.k8s.io/v1), cut down to what is read here. Nothing else of it passes.
import { MAX_APP_ID } from './limits.ts';

/** Ids of apps that begin so are no apps: what is asked for under them, a connector does itself. */
export const RESERVED_IDS = 'sallyport.';
const PREFIX = `${RESERVED_IDS}token-review.`;

/** Names of clusters: with what is before them they must fit into an app id. */
export const CLUSTER: RegExp = new RegExp(
  `^[a-z0-9](?:[a-z0-9-]{0,${MAX_APP_ID - PREFIX.length - 2}}[a-z0-9])?$`,
);
export const REVIEW_PATH = '/apis/authentication.k8s.io/v1/tokenreviews';

/** Bytes of a question and of an answer, and milliseconds that a connector has for one. */
export const MAX_QUESTION: number = 16 * 1024;
export const MAX_REVIEW: number = 64 * 1024;
export const REVIEW_TIME = 4_000;

const MAX_TOKEN = 8192;
const MAX_AUDIENCES = 16;
const MAX_VALUE = 1024;
const MAX_EXTRA = 64;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const KIND = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' } as const;

export interface ReviewQuestion {
  readonly token: string;
  /** The cluster says which of these the token is for. */
  readonly audiences: readonly string[];
}

/** Who the cluster says the token is of. */
export interface ReviewedUser {
  readonly username: string;
  readonly uid: string | undefined;
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

export type Review =
  | { readonly authenticated: false }
  | { readonly authenticated: true; readonly user: ReviewedUser; readonly audiences: readonly string[] };

/** What was sent is no question, or no answer. */
export class ReviewError extends Error {
  readonly code = 'review-malformed';
}

/** The id under which a connector of this cluster is asked. */
export function reviewId(cluster: string): string {
  return PREFIX + cluster;
}

export function encodeQuestion({ token, audiences }: ReviewQuestion): Buffer {
  return Buffer.from(JSON.stringify({ ...KIND, spec: { token, audiences } }));
}

/** Whether a question can be asked about these audiences with whatever token. */
export function canAskAbout(audiences: readonly string[]): boolean {
  const longest = encodeQuestion({ token: 'x'.repeat(MAX_TOKEN), audiences });
  return (
    audiences.length <= MAX_AUDIENCES &&
    audiences.every(({ length }) => length <= MAX_VALUE) &&
    longest.length <= MAX_QUESTION
  );
}

/** @throws {ReviewError} */
export function decodeQuestion(bytes: Buffer): ReviewQuestion {
  const { spec } = reviewIn(bytes);
  const { token, audiences } = object(spec, 'spec');
  if (typeof token !== 'string' || token.length > MAX_TOKEN || !TOKEN.test(token))
    throw new ReviewError('spec.token is no token');
  return { token, audiences: texts(audiences, MAX_AUDIENCES, 'spec.audiences') };
}

export function encodeReview(review: Review): Buffer {
  if (!review.authenticated)
    return Buffer.from(JSON.stringify({ ...KIND, status: { authenticated: false } }));
  const { user, audiences } = review;
  const said = { ...user, extra: Object.fromEntries(user.extra) };
  return Buffer.from(JSON.stringify({ ...KIND, status: { authenticated: true, user: said, audiences } }));
}

/** @throws {ReviewError} also for what the API could not have meant: no yes is read into it. */
export function decodeReview(bytes: Buffer): Review {
  const status = object(reviewIn(bytes)['status'], 'status');
  const { authenticated = false, audiences = [] } = status;
  // Left out means no, as Go writes it.
  if (authenticated === false) return { authenticated };
  if (authenticated !== true) throw new ReviewError('status.authenticated is neither true nor false');
  if (status['error'] !== undefined && status['error'] !== '')
    throw new ReviewError('status says yes and tells an error');
  const { username, uid, extra = {} } = object(status['user'], 'status.user');
  const known = Object.entries(object(extra, 'status.user.extra'));
  if (known.length > MAX_EXTRA) throw new ReviewError('status.user.extra holds too much');
  return {
    authenticated,
    user: {
      username: text(username, 'status.user.username'),
      uid: uid === undefined || uid === '' ? undefined : text(uid, 'status.user.uid'),
      extra: new Map(known.map(([key, value]) => [key, texts(value, MAX_EXTRA, 'status.user.extra')])),
    },
    audiences: texts(audiences, MAX_AUDIENCES, 'status.audiences'),
  };
}

function reviewIn(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new ReviewError('it is not JSON');
  }
  const review = object(value, 'it');
  if (review['apiVersion'] !== KIND.apiVersion || review['kind'] !== KIND.kind)
    throw new ReviewError(`it is no ${KIND.kind} of ${KIND.apiVersion}`);
  return review;
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ReviewError(`${what} is no object`);
  return value as Record<string, unknown>;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_VALUE)
    throw new ReviewError(`${what} is no text of up to ${MAX_VALUE} characters`);
  return value;
}

function texts(value: unknown, most: number, what: string): string[] {
  if (!Array.isArray(value) || value.length > most)
    throw new ReviewError(`${what} is no list of up to ${most}`);
  return value.map((one) => text(one, what));
}
