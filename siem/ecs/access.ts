// How decisions, refusals at the strict front, and ends of streams read in ECS. An enforced deny is a success.
import type { Decision, Explanation } from '#policy/decision';
import type { AccessDecided, RefusalsSummed, RequestRefused, StreamClosed } from '../event.ts';
import { type Fields, isoTime } from './document.ts';
import { actingFields } from './exchange.ts';
import type { Entries, Mapping } from './mapping.ts';
import {
  actorFields,
  actorUser,
  clip,
  connectorFields,
  hostAsSent,
  ipOf,
  peerFields,
  redactTarget,
  relatedUsers,
  requestFields,
  subjectFields,
  subjectName,
} from './parts.ts';

const MAX_HAVE = 256;

function accessDecided(event: AccessDecided): Mapping {
  const { decision, input, client, request } = event;
  const allowed = decision.verdict === 'allow';
  const peer = peerFields(client);
  const host = request?.host;
  return {
    action: allowed ? 'access-allowed' : 'access-denied',
    category: ['network', 'web'],
    type: ['access', allowed ? 'allowed' : 'denied', 'connection'],
    // The decision was made and is enforced; only a decision that could not be made is a failure.
    outcome: decision.reason === 'error' ? 'failure' : 'success',
    code: decision.reason,
    reason: whyOf(decision),
    message: decisionMessage(event),
    fields: {
      ...peer,
      ...subjectFields(input.subject),
      ...(request === undefined ? {} : requestFields(request, { status: event.status })),
      network: {
        ...(peer['network'] as Fields),
        protocol: input.target.protocol === 'http' ? 'http' : undefined,
        application: input.target.app.toLowerCase(),
      },
      destination: host === undefined ? undefined : { address: clip(host, 255), domain: clip(host, 255) },
      device: input.device === undefined ? undefined : { id: input.device.id },
      rule: ruleFields(decision, event.policyHash),
      trace: event.traceId === undefined ? undefined : { id: event.traceId },
    },
    own: {
      app: { id: input.target.app },
      session: event.session === undefined ? undefined : { id: event.session },
      connector: connectorFields(event.connector),
      acting: actingFields(event.acting),
      tls: client.tls?.ja4 === undefined ? undefined : { client: { ja4: client.tls.ja4 } },
      decision: {
        verdict: decision.verdict,
        policy_hash: event.policyHash,
        would_allow: shadows(decision, 'allow'),
        would_deny: shadows(decision, 'deny'),
        obligations: decision.obligations,
        ...explanationFields(event.explanation),
        input,
      },
    },
    related: {
      ip: [ipOf(client.address), ipOf(input.network.address)],
      user: [...relatedUsers(input.subject), ...relatedUsers(event.acting?.person)],
      hosts: [host],
      hash: [event.policyHash],
    },
  };
}

function whyOf(decision: Decision): string {
  return decision.rule?.because ?? decision.reason;
}

/** What happened, in one sentence. */
export function decisionMessage({ decision, input, request }: AccessDecided): string {
  const what = request === undefined ? input.target.app : `${request.method} ${request.host}${request.path}`;
  const verdict = decision.verdict === 'allow' ? 'allowed' : 'denied';
  return clip(`${subjectName(input.subject)} was ${verdict} ${what}: ${whyOf(decision)}`);
}

function ruleFields({ rule }: Decision, policyHash: string): Fields | undefined {
  if (rule === undefined) return undefined;
  const { id, because } = rule;
  return { id, name: id, description: because, ruleset: 'sallyport-policy', version: policyHash };
}

/** Shadow rules that would have decided so. */
function shadows(decision: Decision, would: 'allow' | 'deny'): string[] | undefined {
  const rules = decision.shadow?.filter((shadow) => shadow.would === would).map(({ rule }) => rule);
  return rules === undefined || rules.length === 0 ? undefined : rules;
}

function explanationFields(explanation: Explanation | undefined): Fields {
  if (explanation === undefined) return {};
  const { remedy } = explanation;
  return {
    entitled: explanation.entitled,
    remedy: {
      kind: remedy.kind,
      at: remedy.kind === 'wait-until' ? isoTime(remedy.at) : undefined,
      max_age_ms: remedy.kind === 'step-up' ? remedy.maxAge : undefined,
      acr: remedy.kind === 'step-up' ? remedy.acr : undefined,
      phishing_resistant: remedy.kind === 'step-up' ? remedy.phishingResistant : undefined,
    },
    nearest: explanation.nearest.map(({ rule, effect, met, unmet }) => ({
      ...{ rule, effect, met },
      // Each rule may repeat the whole path.
      unmet: unmet.map((one) => ({ ...one, have: clip(one.have, MAX_HAVE) })),
    })),
  };
}

function requestRefused(event: RequestRefused): Mapping {
  const { domain, port } = event.host === undefined ? {} : hostAsSent(event.host);
  const target = event.target === undefined ? undefined : redactTarget(event.target);
  const unknown = event.status === 401 || event.status === 503;
  const what = unknown ? 'A request of nobody who is known' : 'A malformed or misdirected request';
  return {
    action: 'request-refused',
    category: ['network', 'web'],
    type: ['access', 'denied', 'connection'],
    outcome: 'success',
    code: event.code,
    reason: event.code,
    message: clip(`${what} was refused with ${event.status}: ${event.code}`),
    fields: {
      ...peerFields(event.client),
      url: domain === undefined && target === undefined ? undefined : { domain, port, original: target },
      http: {
        request: event.method === undefined ? undefined : { method: clip(event.method, 64) },
        response: { status_code: event.status },
      },
    },
    own: event.client.tls?.ja4 === undefined ? {} : { tls: { client: { ja4: event.client.tls.ja4 } } },
    related: { ip: [ipOf(event.client.address)], hosts: [domain, event.client.tls?.serverName] },
  };
}

function refusalsSummed(event: RefusalsSummed): Mapping {
  const { client, by, addresses, count, byCode } = event;
  const several = client === undefined ? `${addresses} addresses` : 'one address';
  const asking = by?.id === 'unknown' ? 'unknown users' : by?.id;
  const whose = by === undefined ? several : `${asking} at the admin socket`;
  return {
    action: 'refusals-summed',
    ...(by === undefined
      ? { category: ['network', 'web'], type: ['access', 'denied', 'connection'] }
      : { category: ['configuration'], type: ['access'] }),
    outcome: 'success',
    start: event.from,
    end: event.to,
    durationMs: event.to - event.from,
    message: clip(`${count} refusals of ${whose} were not recorded one by one, because there were too many`),
    fields: {
      ...(client === undefined ? {} : peerFields(client)),
      ...(by === undefined ? {} : { user: actorUser(by) }),
    },
    own: { refusals: { count, addresses, by_code: byCode }, ...(by && { actor: actorFields(by) }) },
    related: { ip: [client === undefined ? undefined : ipOf(client.address)], user: [by?.id] },
  };
}

function streamClosed(event: StreamClosed): Mapping {
  const peer = peerFields(event.client);
  const total = event.bytesFromClient + event.bytesToClient;
  return {
    action: 'stream-closed',
    category: ['network'],
    type: ['end', 'connection'],
    outcome: 'success',
    code: event.reason,
    reason: event.reason,
    start: event.startedAt,
    end: event.startedAt + event.durationMs,
    durationMs: event.durationMs,
    message: clip(
      `${subjectName(event.subject)} is done with ${event.app} after ${event.durationMs} ms, ${total} bytes: ${event.reason}`,
    ),
    fields: {
      ...peer,
      ...(event.subject === undefined ? {} : subjectFields(event.subject)),
      client: { ...(peer['client'] as Fields), bytes: event.bytesFromClient },
      source: { ...(peer['source'] as Fields), bytes: event.bytesFromClient },
      destination: { bytes: event.bytesToClient },
      server: { bytes: event.bytesToClient },
      network: { ...(peer['network'] as Fields), bytes: total, application: event.app.toLowerCase() },
      http: event.status === undefined ? undefined : { response: { status_code: event.status } },
      trace: event.traceId === undefined ? undefined : { id: event.traceId },
    },
    own: {
      app: { id: event.app },
      session: event.session === undefined ? undefined : { id: event.session },
      connector: connectorFields(event.connector),
      decision: { id: event.decisionId },
      stream: event.enforceMs === undefined ? undefined : { enforce_ms: event.enforceMs },
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

export const accessEntries: Entries<
  'access-decided' | 'request-refused' | 'refusals-summed' | 'stream-closed'
> = {
  'access-decided': {
    about: 'Each access decision, allow or deny, before it takes effect. Its id is the one the person sees.',
    dataset: 'sallyport.access',
    map: accessDecided,
  },
  'request-refused': {
    about:
      'A request was turned away before anybody was identified: malformed, misdirected, or of nobody who is known.',
    dataset: 'sallyport.access',
    map: requestRefused,
  },
  'refusals-summed': {
    about:
      'What was refused to strangers beyond what is recorded one by one, in sums: at most 21 a minute, the largest by address; and of the admin socket another one.',
    dataset: 'sallyport.access',
    map: refusalsSummed,
  },
  'stream-closed': {
    about: 'An allowed request, upgrade or TCP stream ended, with its duration and bytes.',
    dataset: 'sallyport.access',
    map: streamClosed,
  },
};
