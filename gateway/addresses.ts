// Where a gateway, or a supervisor with its workers, listens.
import type { AddressInfo } from 'node:net';

/** After port 0 was resolved. */
export interface Addresses {
  readonly people: AddressInfo;
  readonly connectors: AddressInfo;
  readonly health: AddressInfo;
  /** Undefined where none are configured. */
  readonly services?: AddressInfo | undefined;
}
