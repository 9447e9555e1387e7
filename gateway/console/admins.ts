// Reads who the admins are: from their list as it was signed where changes are signed, and else from its file.
import { readFileSync } from 'node:fs';
import { readAllowedSigners, type Signer, SignersError } from '#gateway/change/allowed-signers';
import type { GatewayConfig } from '#gateway/config';
import type { Store } from '#gateway/state/store';
import { directoryOfAll } from '#gateway/workers/share';
import type { Outbox } from '#siem/outbox/outbox';
import type { Recorder } from '#siem/recorder';
import { BreakGlass } from './break-glass.ts';
import { Callers } from './callers.ts';
import { namedAdmins } from './config.ts';
import { Shares } from './shares.ts';
import { gatewayName } from './signed-request.ts';

export interface AdminsParts {
  readonly config: GatewayConfig;
  /** The list that was signed; undefined where it is not. */
  signed(): string | undefined;
  readonly store: Pick<Store, 'update'>;
  readonly recorder: Recorder;
  readonly outbox: Pick<Outbox, 'recordedUntil'>;
  readonly now: () => number;
}

export interface Admins {
  readonly callers: Callers;
  readonly shares: Shares;
  readonly breakGlass: BreakGlass;
}

/** Throws BreakGlassFileError, and SignersError if the list cannot be used, or lacks somebody whom the configuration names. */
export function openAdmins({ config, signed, store, recorder, outbox, now }: AdminsParts): Admins {
  const { admin, worker } = config;
  const lasts = admin?.breakGlass.lasts ?? 0;
  const breakGlass = new BreakGlass({
    ...{ state: directoryOfAll(config), lasts, recorder, now },
    ranUntil: outbox.recordedUntil,
  });
  const file = admin === undefined ? '' : readFileSync(admin.signers, 'utf8');
  let text: string | undefined;
  let list: readonly Signer[] = [];
  const signers = (): readonly Signer[] => {
    const current = signed() ?? file;
    if (current !== text) {
      list = readAllowedSigners(current, admin?.signers);
      text = current;
    }
    return list;
  };
  if (admin !== undefined) {
    const known = new Set(signers().map(({ principal }) => principal));
    const unknown = namedAdmins(admin).find((name) => !known.has(name));
    if (unknown !== undefined) throw new SignersError(`${admin.signers} has no key of ${unknown}`);
  }
  const shares = new Shares(now, admin !== undefined);
  return {
    callers: new Callers({
      ...{ admin, gateway: gatewayName(config), signers, breakGlass, shares, store, now },
      supervised: worker !== undefined,
    }),
    shares,
    breakGlass,
  };
}
