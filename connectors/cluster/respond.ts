// An app's response head onto its stream. A head that cannot be carried must fail here, not at the gateway.
import type { Stream } from '../wire/stream.ts';

const PLAIN = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Sends a head, or an informational one below 200; says the declared body length, or -1.
 * `fields` are flat, as bytes or latin-1 text. @throws {HeadError}
 */
export function respond(
  stream: Stream,
  status: number,
  reason: string,
  fields: readonly (Buffer | string)[],
): number {
  const headers: string[] = [];
  let length = -1;
  for (let i = 0; i < fields.length; i += 2) {
    const name = text(fields[i]);
    const value = text(fields[i + 1]);
    headers.push(name, value);
    if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value);
  }
  // A reason phrase is decoration: one that is not latin-1 text is left out.
  if (status >= 200 || status === 101) stream.head(status, PLAIN.test(reason) ? reason : '', headers, false);
  else stream.info(status, headers);
  return length;
}

function text(field: Buffer | string | undefined): string {
  return typeof field === 'string' ? field : (field?.toString('latin1') ?? '');
}
