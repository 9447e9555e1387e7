// Makes the sink that a configuration names. Reads its credential from a file that only its owner may read.
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import type { SinkConfig } from '../config.ts';
import { looseness } from '../private-file.ts';
import { type ElasticsearchOptions, ElasticsearchSink } from './elasticsearch.ts';
import { FilesSink } from './files.ts';
import { KafkaSink } from './kafka.ts';
import { OtlpSink } from './otlp.ts';
import type { Sink } from './sink.ts';
import { SplunkSink } from './splunk.ts';
import { SyslogSink } from './syslog.ts';
import { WebhookSink } from './webhook.ts';

/** The file of a credential or a private key is missing, empty, or readable by others. The message names the file, never its content. */
export class CredentialError extends Error {
  readonly code = 'credential';
}

function requirePrivate(file: string): void {
  if (!existsSync(file)) throw new CredentialError(`${file} is not there`);
  const loose = looseness(file);
  if (loose !== undefined) throw new CredentialError(loose);
}

/** The content of a file with mode 0600, without the newline an editor leaves. */
export function readCredential(file: string): string {
  requirePrivate(file);
  const text = readFileSync(file, 'utf8').trim();
  if (text === '' || /[^\u0020-\u007e]/.test(text)) {
    throw new CredentialError(`${file} must hold one line of printable characters`);
  }
  return text;
}

type Credentials = Required<Pick<ElasticsearchOptions, 'apiKey' | 'user'>>;
type ElasticsearchConfig = Extract<SinkConfig, { type: 'elasticsearch' }>;

/** Throws CredentialError. */
export function elasticsearchCredentials({ apiKey, user }: ElasticsearchConfig): Credentials {
  return {
    apiKey: apiKey && readCredential(apiKey.file),
    user: user && { name: user.name, password: readCredential(user.password.file) },
  };
}

/** Certificates and their keys must be there, and the keys private, before anything is started. Throws CredentialError. */
export function requireReadable(config: SinkConfig): void {
  const { ca, certificate } = { ca: undefined, certificate: undefined, ...config };
  if (certificate !== undefined) requirePrivate(certificate.key);
  for (const file of [ca, certificate?.file, certificate?.key]) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch (cause) {
      throw new CredentialError(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`);
    }
  }
  // TLS takes an empty text for none given, and would believe every authority of the system.
  if (ca !== undefined && !holdsCertificate(ca))
    throw new CredentialError(`${ca} holds no certificate in PEM`);
}

function holdsCertificate(file: string): boolean {
  try {
    return new X509Certificate(readFileSync(file)).raw.length > 0;
  } catch {
    return false;
  }
}

/** Throws CredentialError, or SinkError, for a sink that cannot work as configured. */
export function createSink(config: SinkConfig, now: () => number): Sink {
  requireReadable(config);
  switch (config.type) {
    case 'kafka': {
      const { sasl } = config;
      if (sasl === undefined) return new KafkaSink({ ...config, sasl });
      return new KafkaSink({ ...config, sasl: { ...sasl, password: readCredential(sasl.password.file) } });
    }
    case 'elasticsearch': {
      return new ElasticsearchSink({ ...config, ...elasticsearchCredentials(config) });
    }
    case 'files': {
      const { name, path, rotateMiB, keep } = config;
      return new FilesSink({ name, path, rotateBytes: rotateMiB * 1024 * 1024, keep });
    }
    case 'syslog':
      return new SyslogSink({ ...config, now });
    case 'splunk':
      return new SplunkSink({ ...config, token: readCredential(config.token.file) });
    case 'otlp': {
      const { authorization } = config;
      const headers =
        authorization === undefined ? {} : { authorization: readCredential(authorization.file) };
      return new OtlpSink({ ...config, headers });
    }
    case 'webhook':
      return new WebhookSink({ ...config, secret: readCredential(config.secret.file), now });
  }
}
