// What every request to the admin API goes through: who asks, whether they may, and the record of both before anything
// is done. What cannot be recorded is not done.
import type { Context, MiddlewareHandler } from 'hono';
import { type RefusedAction, type Strangers, TooMany } from '#gateway/inspect/strangers';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import {
  AdminRefusal,
  type AdminRefusalCode,
  type AskedRequest,
  type Caller,
  type Callers,
  ShareSpent,
} from './callers.ts';
import { routeOf } from './roles.ts';
import type { Shares } from './shares.ts';
import {
  NONCE_HEADER,
  OPERATOR_HEADER,
  ROUND_HEADER,
  SIGNATURE_HEADER,
  SIGNED_AT_HEADER,
} from './signed-request.ts';

const MAX_NAME = 128;

export interface AdminEnv {
  readonly Variables: { caller: Caller };
}

export interface DoorParts {
  readonly callers: Callers;
  readonly recorder: Recorder;
  /** A socket on which everybody may ask must not let them write without end. */
  readonly strangers: Pick<Strangers, 'recordAction' | 'countAction'>;
  readonly shares: Shares;
}

/** Comes before every address. */
export function door({ callers, recorder, strangers, shares }: DoorParts): MiddlewareHandler<AdminEnv> {
  /** Records a refusal; the answer instead of it, if `anybody` asked and there were too many of those. */
  const record = async (refused: RefusedAction, anybody: boolean): Promise<TooMany | undefined> => {
    try {
      if (anybody) await strangers.recordAction(refused, { durable: true });
      else await recorder.record(refused, { durable: true });
      return undefined;
    } catch (error) {
      if (error instanceof TooMany) return error;
      throw error;
    }
  };
  return async (c, next) => {
    // As the router reads it: what is asked about is what is answered.
    const { path } = c.req;
    const route = routeOf(c.req.method, path);
    if (route === undefined)
      return c.json({ error: 'unknown-address', message: `There is no ${path}.` }, 404);
    const about = { kind: 'admin-action', route, path } as const;
    let caller: Caller | undefined;
    try {
      caller = await callers.identify(await asked(c));
      callers.admit(caller, route);
      // One of theirs that ends leaves room: nobody knows when.
      if (!shares.enter(caller.actor.id)) throw new ShareSpent(caller, 0);
    } catch (error) {
      if (!(error instanceof AdminRefusal)) throw error;
      const { code, message, caller: known } = error;
      const { actor: by, roles, breakGlass } = known ?? NOBODY;
      if (error instanceof ShareSpent) {
        strangers.countAction(by, code);
        c.header('Retry-After', String(error.retryAfter));
        return c.json({ error: code, message }, 429);
      }
      const refused = { ...about, verdict: 'refused', code, by, roles, breakGlass } as const;
      // Who has a key of their own, but none on the list, is anybody too.
      const tooMany = await record(refused, caller === undefined);
      if (tooMany === undefined) return c.json({ error: code, message }, statusOf(code));
      c.header('Retry-After', String(tooMany.retryAfter));
      return c.json({ error: tooMany.code, message: tooMany.message }, 429);
    }
    const { actor: by, roles, breakGlass } = caller;
    const allowed = { verdict: 'allowed', by, roles, breakGlass } as const;
    try {
      const action = await recorder.record({ ...about, ...allowed }, { durable: true });
      c.set('caller', caller);
      const began = performance.now();
      await next();
      const durationMs = Math.round(performance.now() - began);
      const ended = { action, by, route, status: c.res.status, durationMs, breakGlass } as const;
      await recorder.record({ kind: 'admin-action-ended', ...ended }, { durable: true });
      return undefined;
    } finally {
      shares.leave(by.id);
    }
  };
}

function statusOf(code: AdminRefusalCode): 401 | 403 | 503 {
  if (code === 'state-unreachable') return 503;
  return code.startsWith('sign') ? 401 : 403;
}

/** Who the record says has done what a handler does. */
export function actorOf(c: Context<AdminEnv>): Actor {
  return c.get('caller').actor;
}

const NOBODY: Caller = { actor: { kind: 'user', id: 'unknown' }, roles: [], breakGlass: false };

async function asked(c: Context): Promise<AskedRequest> {
  const { pathname, search } = new URL(c.req.url);
  const body = await c.req.text();
  return {
    method: c.req.method,
    target: `${pathname}${search}`,
    body,
    signature: c.req.header(SIGNATURE_HEADER),
    at: c.req.header(SIGNED_AT_HEADER),
    nonce: c.req.header(NONCE_HEADER),
    round: c.req.header(ROUND_HEADER),
    operator: (c.req.header(OPERATOR_HEADER) ?? claimedIn(body))?.slice(0, MAX_NAME),
  };
}

/** Programs without a header say who they are in the body. */
function claimedIn(body: string): string | undefined {
  const [, by] = /"by":"([^"\\]{1,128})"/.exec(body) ?? [];
  return by;
}
