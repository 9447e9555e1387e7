// Where the apps of the configuration are dialled, and what each is shown: from its files, which are read again when
// they change, or from the SPIFFE Workload API. It takes nothing from a gateway.
import { readFileSync } from 'node:fs';
import type { ConnectorAppConfig } from '../config.ts';
import { holdsCertificate } from '../wire/certificates.ts';
import type { Log } from '../wire/log.ts';
import type { AppTarget } from './app.ts';
import {
  type CertificateFiles,
  type ClientCertificate,
  ClientCertificateError,
  FollowedFiles,
} from './client-certificate.ts';
import { trustDomainOf, WorkloadApi, type WorkloadIdentity } from './workload-api.ts';

export interface TargetsOptions {
  readonly apps: Readonly<Record<string, ConnectorAppConfig>>;
  /** Path of the SPIFFE agent's socket. */
  readonly workloadApi?: string | undefined;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** Apps that are shown another certificate, or believed by another bundle, from now on; undefined for one that is not served. */
  onChange(targets: Readonly<Record<string, AppTarget | undefined>>): void;
}

/** A file of the configuration cannot be used. The message names it. */
export class TargetError extends Error {
  readonly code = 'unreadable';
}

export class Targets {
  readonly #followed: FollowedFiles[] = [];
  readonly #workload: WorkloadApi | undefined;
  /** What is known at the start; apps that wait for the Workload API are not in it yet. */
  readonly current: Readonly<Record<string, AppTarget>>;

  /** @throws {TargetError} */
  constructor(options: TargetsOptions) {
    const { apps, workloadApi: socket, log, random, onChange } = options;
    const entries = Object.entries(apps);
    const own = entries.filter(([, app]) => !byWorkloadApi(app));
    this.current = Object.fromEntries(own.map(([id, app]) => [id, this.#target(id, app, options)]));
    const waiting = entries.filter(([, app]) => byWorkloadApi(app));
    if (socket === undefined || waiting.length === 0) return;
    let last: WorkloadIdentity | undefined;
    const targetOf = waiting.map(([id, app]) => {
      const target = fixed(app);
      const { client: wanted, spiffeId, ca } = app;
      const files =
        typeof wanted === 'object'
          ? this.#follow(wanted, options, () => onChange(Object.fromEntries([now()])))
          : undefined;
      const now = (): readonly [id: string, target: AppTarget | undefined] => {
        if (last === undefined) return [id, undefined];
        const bundle = ca === undefined ? last.bundles.get(trustDomainOf(spiffeId ?? '')) : target.ca;
        // A trust domain without authorities is one that nobody is believed of.
        if (spiffeId !== undefined && (bundle === undefined || bundle === '')) {
          log.warn({ app: id }, `${id} is not served: the Workload API vouches for nobody of ${spiffeId}`);
          return [id, undefined];
        }
        const client = wanted === 'workload' ? last.client : files?.current;
        return [id, { ...target, ...(bundle && { ca: bundle }), ...(client && { client }) }];
      };
      return now;
    });
    const onUpdate = (word: WorkloadIdentity): void => {
      last = word;
      onChange(Object.fromEntries(targetOf.map((now) => now())));
    };
    this.#workload = new WorkloadApi({ socket, log, random, onUpdate });
  }

  stop(): void {
    for (const files of this.#followed) files.stop();
    this.#workload?.stop();
  }

  #target(id: string, app: ConnectorAppConfig, options: TargetsOptions): AppTarget {
    const target = fixed(app);
    const { client } = app;
    if (client === undefined || client === 'workload') return target;
    const files = this.#follow(client, options, (certificate) =>
      options.onChange({ [id]: { ...target, client: certificate } }),
    );
    return { ...target, client: files.current };
  }

  /** @throws {TargetError} */
  #follow(
    files: CertificateFiles,
    { log, now }: TargetsOptions,
    onChange: (certificate: ClientCertificate) => void,
  ): FollowedFiles {
    try {
      const followed = new FollowedFiles({ files, log, now, onChange });
      this.#followed.push(followed);
      return followed;
    } catch (cause) {
      this.stop();
      if (!(cause instanceof ClientCertificateError)) throw cause;
      throw new TargetError(cause.message, { cause });
    }
  }
}

/** Whether an app waits for what the Workload API says. */
function byWorkloadApi({ client, spiffeId, ca }: ConnectorAppConfig): boolean {
  return client === 'workload' || (spiffeId !== undefined && ca === undefined);
}

/** What of an app does not change. @throws {TargetError} */
function fixed({ url, ca, serverName, spiffeId, headTimeout }: ConnectorAppConfig): AppTarget {
  return {
    ...{ url, headTimeout },
    ...(ca === undefined ? undefined : { ca: readPem(ca) }),
    ...(serverName === undefined ? undefined : { serverName }),
    ...(spiffeId === undefined ? undefined : { spiffeId }),
  };
}

/** Certificates. An empty text must never come to TLS, which would go by the system's authorities. @throws {TargetError} */
export function readPem(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TargetError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (!holdsCertificate(text)) throw new TargetError(`${path} holds no certificate in PEM`);
  return text;
}
