// The service's own log: ECS JSON on stderr, for operators. Not the record of events, and never a place for secrets.
import { ecsFormat } from '@elastic/ecs-pino-format';
import { type DestinationStream, destination, pino } from 'pino';
import { ECS_VERSION, type Fields } from './ecs/document.ts';
import { isSecretName, withoutSecrets } from './redact.ts';

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
export const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** `err` is the error that is told about; anything else becomes a label. */
export interface LogFields {
  readonly err?: unknown;
  readonly [label: string]: unknown;
}

type Write = (fields: LogFields, message: string) => void;
export type Log = { readonly [L in Level]: Write };

export interface LogOptions {
  readonly service: { readonly name: string; readonly version: string; readonly node: string };
  readonly level?: Level;
  /** stderr unless told otherwise. One destination, written at once: pino's transports lost lines and whole runs. */
  readonly to?: DestinationStream;
}

/** Bytes that wait while nothing can be written; lines beyond them are lost. */
const MOST_WAITING = 1024 * 1024;

/** Each line is one JSON object of nested ECS fields. */
export function createLog(options: LogOptions): Log {
  const { service } = options;
  // convertReqRes would write down Authorization and Cookie; apmIntegration would look for an agent to load.
  const format = ecsFormat({ convertErr: true, convertReqRes: false, apmIntegration: false });
  const bindings = {
    ecs: { version: ECS_VERSION },
    service: { name: service.name, version: service.version, node: { name: service.node } },
    event: { dataset: `${service.name}.log` },
    process: { pid: process.pid },
  };
  const logger = pino(
    {
      ...format,
      level: options.level ?? 'info',
      formatters: {
        // The format writes dotted keys, and version 8.10.0 whatever it follows: what it finds out is kept,
        // and is nested here.
        level: (label) => ({ log: { level: label } }),
        bindings: () => bindings,
        log: (fields) => nested(format.formatters?.log?.(fields) ?? {}),
      },
    },
    options.to ?? stderr(),
  );
  const write = (level: Level): Write => {
    return (fields, message) => logger[level](separate(fields), withoutSecrets(message));
  };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
  };
}

/** What cannot be written, as on a full disk, waits for the next line; it must never end the process that it tells of. */
function stderr(): DestinationStream {
  const stream = destination({ fd: 2, sync: true, maxLength: MOST_WAITING });
  // When too much waits it no longer tries by itself, whether or not there is room again.
  stream.on('drop', () => stream.write(''));
  return stream.on('error', () => undefined);
}

/** Only the error and labels get through, so that no key can come twice in one line. */
function separate(fields: LogFields): Record<string, unknown> {
  const { err, ...rest } = fields;
  const labels: Record<string, string> = {};
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined) continue;
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
    // A dot would make an object of the label.
    labels[name.replaceAll('.', '_')] = isSecretName(name) ? '[hidden]' : withoutSecrets(text);
  }
  return {
    ...(err === undefined ? {} : { err: err instanceof Error ? err : new Error(String(err)) }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

function nested(fields: Record<string, unknown>): Fields {
  const error = fields['error'] as Record<string, string> | undefined;
  const { labels } = fields;
  return {
    ...(error === undefined ? {} : { error: cleanError(error) }),
    ...(labels === undefined ? {} : { labels }),
  };
}

function cleanError(error: Record<string, string>): Fields {
  return {
    type: error['type'],
    message: withoutSecrets(error['message'] ?? ''),
    stack_trace: withoutSecrets(error['stack_trace'] ?? ''),
  };
}
