// One full example of every kind of event about signed changes, admins' actions and measured code.
import type { ChangeEvent } from '#siem/change-event';
import type { EventOf } from '#siem/event';
import type { Actor } from '#siem/parties';

type ChangeExamples = { readonly [K in ChangeEvent['kind']]: EventOf<K> };

const id = '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752';
const previous = 'fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13';

const change = {
  ...{ id, sequence: 17, repository: 'git@git.example.com:infra/access.git', branch: 'main' },
  commit: '9fceb02d0ae598e95dc970b74767f19372d61af8',
  author: 'Ada Example <ada@example.com>',
  subject: 'policy: the on-call team reads the dashboards',
} as const;

export function changeExamples(by: Actor, policyHash: string, at: number): ChangeExamples {
  const route = 'POST /v1/revocations';
  return {
    'change-accepted': {
      ...{ kind: 'change-accepted', change, previous, by },
      signers: ['ada@example.com', 'ben@example.com'],
      files: { policy: policyHash, 'configuration/gw1': previous },
    },
    'change-refused': {
      ...{ kind: 'change-refused', code: 'rolled-back', change, kept: previous, by },
      message: 'this change is older than what is in force: it is number 17, and 18 is in force',
      file: '/etc/sallyport/change.json',
    },
    'admin-action': {
      ...{ kind: 'admin-action', verdict: 'refused', code: 'role-missing', by, roles: ['viewer'] },
      ...{ route, path: '/v1/revocations', breakGlass: false },
    },
    'admin-action-ended': {
      ...{ kind: 'admin-action-ended', action: '019cb830-5000-7a00-8000-000000000001', by, route },
      ...{ status: 200, durationMs: 12, breakGlass: false },
    },
    'break-glass-opened': {
      ...{ kind: 'break-glass-opened', account: 'glass-1', by, until: at + 3_600_000 },
      reason: 'the identity provider is down',
    },
    'code-measured': {
      ...{ kind: 'code-measured', verdict: 'drifted', version: '0.1.0', manifest: id },
      signers: ['release@example.com'],
      ...{ changed: ['dist/gateway/flow.js'], missing: [], added: ['dist/gateway/more.js'] },
    },
  };
}
