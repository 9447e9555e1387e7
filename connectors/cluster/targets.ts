// Where the apps of the configuration are dialled, and what each is shown: read from its files, and read again when a
// client certificate changes. It takes nothing from a gateway.
import { readFileSync } from 'node:fs';
import type { ConnectorAppConfig } from '../config.ts';
import type { Log } from '../wire/log.ts';
import type { AppTarget } from './app.ts';
import { type ClientCertificate, ClientCertificateError, FollowedFiles } from './client-certificate.ts';

export interface TargetsOptions {
  readonly apps: Readonly<Record<string, ConnectorAppConfig>>;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** An app is shown another certificate from now on. */
  onChange(id: string, target: AppTarget): void;
}

/** A file of the configuration cannot be used. The message names it. */
export class TargetError extends Error {
  readonly code = 'unreadable';
}

export class Targets {
  readonly #followed: FollowedFiles[] = [];
  readonly current: Readonly<Record<string, AppTarget>>;

  /** @throws {TargetError} */
  constructor(options: TargetsOptions) {
    const { apps } = options;
    this.current = Object.fromEntries(
      Object.entries(apps).map(([id, app]) => [id, this.#target(id, app, options)]),
    );
  }

  stop(): void {
    for (const files of this.#followed) files.stop();
  }

  #target(id: string, app: ConnectorAppConfig, { log, now, onChange }: TargetsOptions): AppTarget {
    const { url, ca, serverName, spiffeId, client, headTimeout } = app;
    const fixed = {
      ...{ url, headTimeout },
      ...(ca === undefined ? undefined : { ca: readPem(ca) }),
      ...(serverName === undefined ? undefined : { serverName }),
      ...(spiffeId === undefined ? undefined : { spiffeId }),
    };
    if (client === undefined) return fixed;
    const changed = (certificate: ClientCertificate): void => onChange(id, { ...fixed, client: certificate });
    try {
      const files = new FollowedFiles({ files: client, log, now, onChange: changed });
      this.#followed.push(files);
      return { ...fixed, client: files.current };
    } catch (cause) {
      this.stop();
      if (!(cause instanceof ClientCertificateError)) throw cause;
      throw new TargetError(cause.message, { cause });
    }
  }
}

/** @throws {TargetError} */
export function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TargetError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
