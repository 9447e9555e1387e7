// Who runs a command, for the record of what it asks a gateway.
import { type UserInfo, userInfo } from 'node:os';

/** The user's name; a container's user may have none, and is then named by its number. */
export function operatorName(
  read: () => Pick<UserInfo<string>, 'username'> = userInfo,
  uid: number | undefined = process.getuid?.(),
): string {
  try {
    return read().username;
  } catch {
    return `uid ${uid ?? 'unknown'}`;
  }
}
