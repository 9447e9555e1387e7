// What is known of the machine that runs the connector a request goes through: the claims, firmware and freshness that
// rules ask of devices. A connector that never attested, or that nobody knows yet, is unknown.
import { age, type Facts } from '../facts.ts';
import { formatDuration } from '../time/duration.ts';
import { type Truth, truthOf, UNKNOWN, UNMET } from '../truth.ts';
import { type Claims, claimsDisjoint, claimsHave, claimsImply, claimsNeed, claimsTruth } from './claims.ts';
import type { Criterion } from './criterion.ts';
import { compareVersions, firmwareTruth } from './firmware.ts';

export interface ConnectorWant extends Claims {
  readonly firmware: string | undefined;
  /** Milliseconds since the last quote, at most. */
  readonly quote: number | undefined;
}

export const connectorPosture: Criterion<ConnectorWant> = {
  key: 'connector',
  code: 'connector-posture-mismatch',
  truth(want: ConnectorWant, { request, at }: Facts): Truth {
    const { connector } = request;
    const claims = claimsTruth(want, connector);
    if (claims === UNMET) return UNMET;
    const firmware = want.firmware === undefined ? claims : firmwareTruth(want.firmware, connector?.firmware);
    if (firmware === UNMET) return UNMET;
    const quote = want.quote === undefined ? firmware : quoteTruth(want.quote, at, connector?.quotedAt);
    if (quote === UNMET) return UNMET;
    return claims === UNKNOWN || firmware === UNKNOWN ? UNKNOWN : quote;
  },
  need: (want) =>
    [
      claimsNeed(want),
      want.firmware === undefined ? '' : `firmware ${want.firmware} or newer`,
      want.quote === undefined ? '' : `quoted at most ${formatDuration(want.quote)} ago`,
    ]
      .filter((part) => part !== '')
      .join(', '),
  have(want, { request: { connector }, at }) {
    if (connector === undefined) return 'no connector that could carry it';
    const elapsed = age(at, connector.quotedAt);
    return [
      `${connector.name}:`,
      [
        claimsHave(want, connector),
        want.firmware === undefined ? '' : `firmware ${connector.firmware ?? 'unknown'}`,
        want.quote === undefined
          ? ''
          : Number.isNaN(elapsed)
            ? 'never quoted'
            : `quoted ${formatDuration(elapsed)} ago`,
      ]
        .filter((part) => part !== '')
        .join(', '),
    ].join(' ');
  },
  implies: (a, b) =>
    claimsImply(a, b) &&
    (b.firmware === undefined ||
      (a.firmware !== undefined && compareVersions(a.firmware, b.firmware) >= 0)) &&
    (b.quote === undefined || (a.quote !== undefined && a.quote <= b.quote)),
  disjoint: claimsDisjoint,
};

function quoteTruth(want: number, at: number, quotedAt: number | undefined): Truth {
  const elapsed = age(at, quotedAt);
  return Number.isNaN(elapsed) ? UNKNOWN : truthOf(elapsed <= want);
}
