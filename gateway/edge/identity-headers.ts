// The headers by which apps made for other gateways learn who asks. Those without a signature are named in a header of
// their own, since only the network between connector and app vouches for them.
import type { CompatibleHeaders } from '#gateway/pki/config';
import type { Subject } from '#policy/input';

/** Lists the headers beside it that anybody who reaches the app could have written. */
export const UNSIGNED_HEADER = 'X-Sallyport-Unsigned';

/** Where other gateways put their signed word. */
const SIGNED: Readonly<Record<Exclude<CompatibleHeaders, 'unsigned'>, string>> = {
  iap: 'X-Goog-IAP-JWT-Assertion',
  pomerium: 'X-Pomerium-Jwt-Assertion',
  cloudflare: 'Cf-Access-Jwt-Assertion',
};

/** A flat name, value, … list. */
export function identityHeaders(
  wanted: readonly CompatibleHeaders[],
  assertion: string,
  subject: Subject,
): string[] {
  return wanted.flatMap((one) => (one === 'unsigned' ? unsigned(subject) : [SIGNED[one], assertion]));
}

function unsigned({ id, email, name, groups }: Subject): string[] {
  const fields: [string, string][] = [['X-Forwarded-User', encoded(id)]];
  if (email !== undefined) fields.push(['X-Forwarded-Email', encoded(email)]);
  if (name !== undefined) fields.push(['X-Forwarded-Preferred-Username', encoded(name)]);
  if (groups.length > 0) fields.push(['X-Forwarded-Groups', groups.map(encoded).join(',')]);
  return [...fields.flat(), UNSIGNED_HEADER, fields.map(([field]) => field).join(', ')];
}

/** People choose their names: percent-encoded where a name could end a field, a list, or itself. */
export function encoded(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]|[%,]/gu, (character) => {
    return character === ',' ? '%2C' : encodeURIComponent(character.toWellFormed());
  });
}
