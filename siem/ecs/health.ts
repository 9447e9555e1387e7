// How a gateway's life signs read in ECS: start, stop, heartbeat, and the times when nothing could be recorded.
import type {
  CertificateExpiring,
  DrillEnded,
  DrillStarted,
  GatewayStarted,
  GatewayStopped,
  Heartbeat,
  RecordingInterrupted,
  SiemTest,
} from '../gateway-event.ts';
import { isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import { actorFields, clip } from './parts.ts';

function gatewayStarted(event: GatewayStarted): Mapping {
  const repaired =
    event.repairedBytes > 0 ? `, after cutting a torn record of ${event.repairedBytes} bytes` : '';
  return {
    action: 'gateway-started',
    category: ['process'],
    type: ['start'],
    outcome: 'success',
    message: `The gateway started${repaired}`,
    own: {
      gateway: {
        runtime: event.runtime,
        timezones: event.timezones,
        config_hash: event.configHash,
        policy_hash: event.policyHash,
        code_hash: event.codeHash,
        change_id: event.changeId,
        repaired_bytes: event.repairedBytes,
      },
    },
    related: { hash: [event.configHash, event.policyHash, event.codeHash, event.changeId] },
  };
}

function gatewayStopped(event: GatewayStopped): Mapping {
  return {
    action: 'gateway-stopped',
    category: ['process'],
    type: ['end'],
    outcome: 'success',
    code: event.reason,
    reason: event.reason,
    durationMs: event.uptimeMs,
    message: `The gateway stopped: ${event.reason}`,
    own: { gateway: { uptime_ms: event.uptimeMs } },
  };
}

function heartbeat(event: Heartbeat): Mapping {
  const behind = event.sinks.filter((sink) => !sink.healthy).map((sink) => sink.name);
  return {
    action: 'heartbeat',
    kind: 'metric',
    category: ['process'],
    type: ['info'],
    outcome: 'success',
    message:
      behind.length === 0 ? 'The gateway is alive' : `The gateway is alive; failing: ${behind.join(', ')}`,
    own: {
      gateway: { uptime_ms: event.uptimeMs, policy_hash: event.policyHash },
      heartbeat: { interval_ms: event.intervalMs, connectors: event.connectors },
      outbox: {
        bytes: event.outbox.bytes,
        quota_bytes: event.outbox.quotaBytes,
        refused: event.outbox.refused,
      },
      sinks: event.sinks.map((sink) => ({
        name: sink.name,
        type: sink.type,
        lag_bytes: sink.lagBytes,
        lag_seconds: sink.lagSeconds,
        delivered: sink.delivered,
        dead_letters: sink.deadLetters,
        retries: sink.retries,
        healthy: sink.healthy,
      })),
    },
  };
}

function recordingInterrupted(event: RecordingInterrupted): Mapping {
  return {
    action: 'recording-interrupted',
    kind: 'alert',
    severity: 99,
    category: ['process'],
    type: ['info'],
    outcome: 'failure',
    code: event.code,
    reason: event.code,
    start: event.from,
    end: event.to,
    durationMs: event.to - event.from,
    message: `Recording failed and works again: ${event.refused} records were refused and nothing was allowed on them`,
    own: { recording: { refused: event.refused } },
  };
}

function siemTest(event: SiemTest): Mapping {
  return {
    action: 'siem-test',
    category: ['process'],
    type: ['info'],
    outcome: 'success',
    message: `Test event for the sink ${event.sink}`,
    own: { test: { sink: event.sink }, actor: actorFields(event.by) },
  };
}

function certificateExpiring({ certificate, notAfter, days }: CertificateExpiring): Mapping {
  return {
    action: 'certificate-expiring',
    category: ['configuration'],
    type: ['info'],
    outcome: 'success',
    code: `within-${days}-days`,
    message: clip(`The certificate for ${certificate} ends within ${days} ${days === 1 ? 'day' : 'days'}`),
    own: { certificate: { use: clip(certificate), not_after: isoTime(notAfter) } },
  };
}

function drillStarted({ fault, seconds, by }: DrillStarted): Mapping {
  return {
    action: 'drill-started',
    category: ['process'],
    type: ['info'],
    outcome: 'success',
    code: fault,
    message: `A drill of ${seconds} s begins on this gateway: ${fault}`,
    own: { drill: { fault, seconds }, actor: actorFields(by) },
    related: { user: [by.id] },
  };
}

function drillEnded({ fault, seconds, held, findings, by }: DrillEnded): Mapping {
  const missing = findings.filter((one) => !one.held).map((one) => one.required);
  return {
    action: 'drill-ended',
    category: ['process'],
    type: ['info'],
    outcome: held ? 'success' : 'failure',
    code: fault,
    message: `The drill of ${fault} is over: ${held ? 'all that was required was seen' : `missing: ${missing.join('; ')}`}`,
    own: {
      drill: {
        ...{ fault, seconds, held },
        findings: findings.map((one) => `${one.held ? 'held' : 'failed'}: ${one.required}: ${one.seen}`),
      },
      actor: actorFields(by),
    },
    related: { user: [by.id] },
  };
}

export const healthEntries: Entries<
  | 'gateway-started'
  | 'gateway-stopped'
  | 'heartbeat'
  | 'recording-interrupted'
  | 'certificate-expiring'
  | 'drill-started'
  | 'drill-ended'
  | 'siem-test'
> = {
  'gateway-started': {
    about: 'A gateway process started.',
    dataset: 'sallyport.health',
    map: gatewayStarted,
  },
  'gateway-stopped': {
    about: 'A gateway process stopped in order.',
    dataset: 'sallyport.health',
    map: gatewayStopped,
  },
  heartbeat: {
    about: 'Sent at a fixed interval, with the standing of the outbox and of each sink.',
    dataset: 'sallyport.health',
    map: heartbeat,
  },
  'drill-started': {
    about: 'Somebody rehearses a fault on the gateway: what looks like an outage is none.',
    dataset: 'sallyport.health',
    map: drillStarted,
  },
  'drill-ended': {
    about: 'The rehearsal of a fault is over, with what was required and what was seen.',
    dataset: 'sallyport.health',
    map: drillEnded,
  },
  'certificate-expiring': {
    about:
      'A certificate of the gateway, or of a TPM maker that it trusts, will end soon; sent 30 days, 7 days and a day before.',
    dataset: 'sallyport.health',
    map: certificateExpiring,
  },
  'recording-interrupted': {
    about: 'Recording failed for a while (disk full, quota, I/O error) and works again.',
    dataset: 'sallyport.health',
    map: recordingInterrupted,
  },
  'siem-test': {
    about: 'A marked event sent on request to see it arrive.',
    dataset: 'sallyport.health',
    map: siemTest,
  },
};
