// How changes of policy and the logs' checkpoints read in ECS. Hashes of what is in force are found by related.hash.
import type { LedgerCheckpoint, PolicyLoaded, PolicyRejected } from '../gateway-event.ts';
import type { Entries, Mapping } from './mapping.ts';
import { actorFields, actorUser, clip } from './parts.ts';

const MAX_PROBLEMS = 20;

function policyLoaded(event: PolicyLoaded): Mapping {
  return {
    action: 'policy-loaded',
    category: ['configuration'],
    type: ['change'],
    outcome: 'success',
    message: clip(`Policy ${event.hash.slice(0, 12)} with ${event.rules} rules is in force`),
    fields: { file: { path: event.file }, user: actorUser(event.by) },
    own: {
      change: { subject: 'policy', hash: event.hash, previous_hash: event.previousHash },
      policy: { rules: event.rules },
      actor: actorFields(event.by),
    },
    related: {
      hash: [event.hash, event.previousHash],
      user: [event.by.kind === 'gateway' ? undefined : event.by.id],
    },
  };
}

function policyRejected(event: PolicyRejected): Mapping {
  const kept = event.keptHash === undefined ? 'no policy is in force' : 'the one before it stays in force';
  return {
    action: 'policy-rejected',
    kind: 'alert',
    severity: 47,
    category: ['configuration'],
    type: ['change'],
    outcome: 'failure',
    code: 'policy-invalid',
    reason: event.problems[0] === undefined ? undefined : clip(event.problems[0]),
    message: clip(`A policy document was rejected with ${event.problems.length} problems; ${kept}`),
    fields: { file: { path: event.file }, user: actorUser(event.by) },
    own: {
      change: { subject: 'policy', hash: event.hash, previous_hash: event.keptHash },
      policy: { problems: event.problems.slice(0, MAX_PROBLEMS).map((problem) => clip(problem)) },
      actor: actorFields(event.by),
    },
    related: { hash: [event.hash, event.keptHash] },
  };
}

function ledgerCheckpoint(event: LedgerCheckpoint): Mapping {
  return {
    action: 'ledger-checkpoint',
    kind: 'state',
    category: ['configuration'],
    type: ['info'],
    outcome: 'success',
    message: `The ${event.log} log has ${event.size} leaves`,
    own: { ledger: { log: event.log, size: event.size, root: event.root, note: event.note } },
    related: { hash: [event.root] },
  };
}

export const auditEntries: Entries<'policy-loaded' | 'policy-rejected' | 'ledger-checkpoint'> = {
  'policy-loaded': {
    about: 'A policy document came into force.',
    dataset: 'sallyport.audit',
    map: policyLoaded,
  },
  'policy-rejected': {
    about: 'A policy document did not load; the one before it stays in force.',
    dataset: 'sallyport.audit',
    map: policyRejected,
  },
  'ledger-checkpoint': {
    about:
      'A transparency log signed a tree head. Keeping this document makes the SIEM a witness off the host.',
    dataset: 'sallyport.audit',
    map: ledgerCheckpoint,
  },
};
