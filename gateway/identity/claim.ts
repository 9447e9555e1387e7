// One claim of a token, by its name or by the way to it.
import type { JWTPayload } from 'jose';

/** A claim's text, by its name or, beginning with `/`, by JSON Pointer (RFC 6901). */
export function claimOf(payload: JWTPayload, name: string): string | undefined {
  const steps = name.startsWith('/')
    ? name
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [name];
  let value: unknown = payload;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === 'string' ? value : undefined;
}
