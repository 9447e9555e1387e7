// The answer to an admin whose request is not in the form that was expected: one line that names each thing.
import type { z } from 'zod';
import { formatPath } from '#policy/document';

export interface BadRequest {
  readonly error: 'bad-request';
  readonly message: string;
}

export function badRequest({ issues }: z.ZodError): BadRequest {
  const each = issues.map(({ path, message }) => {
    const place = formatPath(path as (string | number)[]);
    return place === '' ? message : `${place}: ${message}`;
  });
  return { error: 'bad-request', message: each.join('; ') };
}
