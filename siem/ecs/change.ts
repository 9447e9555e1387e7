// How signed changes, admins' actions and measured code read in ECS. What was refused is an alert, and so is
// whatever happens under an account for emergencies.
import type {
  AdminAction,
  AdminActionEnded,
  BreakGlassOpened,
  ChangeAccepted,
  ChangeEvent,
  ChangeRef,
  ChangeRefused,
  CodeMeasured,
} from '../change-event.ts';
import { type Fields, isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import { actorFields, actorUser, clip } from './parts.ts';

/** How many files of each kind are named. */
const MAX_FILES = 20;

function changeFields(change: ChangeRef | undefined): Fields {
  if (change === undefined) return { subject: 'bundle' };
  const { id, sequence, repository, branch, commit, author, subject } = change;
  return {
    ...{ subject: 'bundle', hash: id, sequence, commit },
    ...{ repository: clip(repository), branch: clip(branch), author: clip(author), title: clip(subject) },
  };
}

function changeAccepted({ change, previous, signers, files, by }: ChangeAccepted): Mapping {
  return {
    action: 'change-accepted',
    category: ['configuration'],
    type: ['change'],
    outcome: 'success',
    message: clip(
      `Change ${change.sequence}, signed by ${signers.join(', ')}, is accepted: ${change.subject}`,
    ),
    fields: { user: actorUser(by) },
    own: {
      change: {
        ...changeFields(change),
        previous_hash: previous,
        signers,
        files: Object.entries(files).map(([name, sha256]) => ({ name, sha256 })),
      },
      actor: actorFields(by),
    },
    related: { hash: [change.id, previous, ...Object.values(files)], user: signers },
  };
}

function changeRefused({ code, message, change, file, kept, by }: ChangeRefused): Mapping {
  const stays = kept === undefined ? 'nothing that was signed is in force' : 'what was in force stays';
  return {
    action: 'change-refused',
    kind: 'alert',
    severity: 73,
    category: ['configuration'],
    type: ['change'],
    outcome: 'failure',
    code,
    reason: clip(message),
    message: clip(`${message}; ${stays}`),
    fields: { user: actorUser(by), file: file === undefined ? undefined : { path: clip(file) } },
    own: { change: { ...changeFields(change), previous_hash: kept }, actor: actorFields(by) },
    related: { hash: [change?.id, kept] },
  };
}

function adminAction(event: AdminAction): Mapping {
  const { verdict, code, by, roles, route, path, breakGlass } = event;
  const refused = verdict === 'refused';
  return {
    action: 'admin-action',
    ...(breakGlass || refused ? { kind: 'alert', severity: breakGlass ? 73 : 47 } : {}),
    category: ['configuration'],
    type: ['access'],
    outcome: refused ? 'failure' : 'unknown',
    code,
    reason: code,
    message: clip(
      `${by.id} ${refused ? 'may not' : 'asks for'} ${route}${breakGlass ? ', by break-glass' : ''}`,
    ),
    fields: { user: actorUser(by) },
    own: {
      admin: { verdict, roles, route, path: clip(path), break_glass: breakGlass },
      actor: actorFields(by),
    },
    related: { user: [by.id] },
  };
}

function adminActionEnded(event: AdminActionEnded): Mapping {
  const { action, by, route, status, durationMs, breakGlass } = event;
  return {
    action: 'admin-action-ended',
    ...(breakGlass ? { kind: 'alert', severity: 73 } : {}),
    category: ['configuration'],
    type: ['access'],
    outcome: status < 400 ? 'success' : 'failure',
    durationMs,
    message: clip(`${by.id} was answered ${status} to ${route}`),
    fields: { user: actorUser(by), http: { response: { status_code: status } } },
    own: { admin: { action, route, break_glass: breakGlass }, actor: actorFields(by) },
    related: { user: [by.id] },
  };
}

function breakGlassOpened({ account, reason, until, by }: BreakGlassOpened): Mapping {
  return {
    action: 'break-glass-opened',
    kind: 'alert',
    severity: 99,
    category: ['iam'],
    type: ['admin'],
    outcome: 'success',
    reason: clip(reason),
    message: clip(`The break-glass account ${account} was opened: ${reason}`),
    fields: { user: actorUser(by) },
    own: { admin: { account, until: isoTime(until), break_glass: true }, actor: actorFields(by) },
    related: { user: [by.id] },
  };
}

const MEASURED: Readonly<Record<CodeMeasured['verdict'], string>> = {
  'as-released': 'The program files are those of the release',
  drifted: 'The program files are not those of the release',
  unproven: 'No signed manifest vouches for the program files',
};

function codeMeasured(event: CodeMeasured): Mapping {
  const { verdict, code, version, manifest, signers, changed, missing, added } = event;
  const good = verdict === 'as-released';
  const named = (files: readonly string[]): string[] => files.slice(0, MAX_FILES).map((one) => clip(one));
  return {
    action: 'code-measured',
    ...(good ? {} : { kind: 'alert', severity: verdict === 'drifted' ? 99 : 73 }),
    category: ['configuration', 'file'],
    type: ['info'],
    outcome: good ? 'success' : 'failure',
    code,
    message: MEASURED[verdict],
    own: {
      change: { subject: 'code', hash: manifest, signers },
      release: {
        ...{ verdict, version, changed: named(changed), missing: named(missing), added: named(added) },
        files: changed.length + missing.length + added.length,
      },
    },
    related: { hash: [manifest], user: signers },
  };
}

export const changeEntries: Entries<ChangeEvent['kind']> = {
  'change-accepted': {
    about: 'A change that authorised people signed is taken up. In the log before it takes effect.',
    dataset: 'sallyport.audit',
    map: changeAccepted,
  },
  'change-refused': {
    about: 'A change, or an edit that no change holds, was not taken. `event.code` says why.',
    dataset: 'sallyport.audit',
    map: changeRefused,
  },
  'admin-action': {
    about: 'Somebody asked the admin API for something, and may or may not. In the log before it is done.',
    dataset: 'sallyport.audit',
    map: adminAction,
  },
  'admin-action-ended': {
    about: 'What came of an admin’s action that was allowed.',
    dataset: 'sallyport.audit',
    map: adminActionEnded,
  },
  'break-glass-opened': {
    about: 'An account for emergencies was opened; from now on everything it does is an alert.',
    dataset: 'sallyport.audit',
    map: breakGlassOpened,
  },
  'code-measured': {
    about: 'The gateway compared its program files with the signed manifest of its release.',
    dataset: 'sallyport.audit',
    map: codeMeasured,
  },
};
