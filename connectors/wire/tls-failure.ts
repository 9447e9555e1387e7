// Words for a TLS connection that was not made: certificates that are too young or too old are often a clock that is wrong.

const BY_THE_CLOCK: ReadonlySet<unknown> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/** What `error` says, and whether the clock of this machine may be what is wrong. */
export function tlsFailure(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return BY_THE_CLOCK.has(code) ? `${error.message} (is this machine’s clock right?)` : error.message;
}
