// When the certificates of authorities are warned of, our own and those of TPM makers: 30 days, 7 days and a day before
// they end.
import { X509Certificate } from 'node:crypto';
import type { Standing } from './issuer-service.ts';

const DAY = 86_400_000;
const WARNINGS: readonly number[] = [30, 7, 1];

export interface ExpiringCa {
  /** `connector-ca root`, `connector-ca intermediate`, or a TPM maker’s by its name. */
  readonly certificate: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  /** The warning's: 30, 7 or 1. */
  readonly days: number;
  /** What ends when, and what to do. */
  readonly message: string;
}

/** What of an authority ends soon. `now`: epoch milliseconds. */
export function expiring(
  id: string,
  { certificate, intermediates, rootOnline }: Pick<Standing, 'certificate' | 'intermediates' | 'rootOnline'>,
  now: number,
): readonly ExpiringCa[] {
  const [issuing = certificate] = intermediates;
  const renewal = rootOnline
    ? 'it should have been renewed by itself: see the log'
    : 'its root is offline: run `sallyport ca intermediate csr`';
  return [
    within(`${id} root`, certificate, 'plan for another root: everybody who trusts it must be told', now),
    // Where the root is, it is renewed when 30 days are left: only when that did not happen there is something to tell.
    within(`${id} intermediate`, issuing, renewal, now - (rootOnline ? DAY : 0)),
  ].filter((one) => one !== undefined);
}

/** What of the TPM makers' CAs ends soon, whose certificates that end by a time `endingBy` gives. `now`: epoch milliseconds. */
export function expiringMakers(
  endingBy: (time: number) => readonly Buffer[],
  now: number,
): readonly ExpiringCa[] {
  const advice =
    'from then on no machine whose TPM it vouches for is attested: add what its maker renewed it by, beside it';
  return endingBy(now + Math.max(...WARNINGS) * DAY)
    .map((der) => {
      const { subject, fingerprint256 } = new X509Certificate(der);
      const name = subject?.replaceAll('\n', ', ') || fingerprint256;
      return within(`TPM maker's CA ${name}`, der, advice, now);
    })
    .filter((one) => one !== undefined);
}

function within(
  certificate: string,
  text: string | Buffer,
  advice: string,
  now: number,
): ExpiringCa | undefined {
  const notAfter = Date.parse(new X509Certificate(text).validTo);
  const days = WARNINGS.findLast((one) => notAfter - now <= one * DAY);
  if (days === undefined) return undefined;
  const message = `the certificate ${certificate} ends on ${new Date(notAfter).toISOString()}: ${advice}`;
  return { certificate, notAfter, days, message };
}
