// Whether SQLite refused because another connection holds the file: the one refusal that says somebody else is at work.

const SQLITE_BUSY = 5;

/** `cause`: what node:sqlite threw. Its code may say more in the higher bits (sqlite.org/rescode.html). */
export function isSqliteBusy(cause: unknown): boolean {
  const { errcode } = cause as { readonly errcode?: unknown };
  return typeof errcode === 'number' && errcode % 256 === SQLITE_BUSY;
}
