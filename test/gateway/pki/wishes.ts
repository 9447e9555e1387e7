// What an issuing process is asked in the tests of it: by rules, for a name, and by a right that was not used yet.
import type { ClientWish } from '#gateway/pki/issued';

const HOUR = 3_600_000;

/** What an issuing process is told when it starts. */
export const RULES: { servers: string[]; trustDomain: string; perSecond: number } = {
  servers: ['gw.example'],
  trustDomain: 'sallyport.internal',
  perSecond: 2,
};
/** A name it may issue to. */
export const CONNECTOR = 'spiffe://sallyport.internal/connector/rack-1';
let used = 0;
/** A grant that was not used yet. */
export const token = (): ClientWish['grant'] => {
  used += 1;
  return { kind: 'enrolment', id: String(used) };
};
/** A wish that is granted, but for what is given. */
export const wish = (more: Partial<ClientWish> = {}): ClientWish => ({
  ...{ csr: '', uri: CONNECTOR, life: HOUR, grant: token() },
  ...more,
});
