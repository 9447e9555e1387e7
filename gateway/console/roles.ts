// Who may ask the admin API for what: every address with the roles that may use it. An address that is not here is
// answered to nobody, and a gateway with one that is not here does not start.

export const ROLES = ['viewer', 'operator', 'policy-admin', 'ca-admin', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

const EVERY: readonly Role[] = ROLES;

/** By method and address pattern. Who owns the gateway's machine, and an open break-glass account, may use them all. */
export const ROUTES: Readonly<Record<string, readonly Role[]>> = {
  'GET /v1/status': EVERY,
  'GET /v1/changes': EVERY,
  'POST /v1/changes': ['policy-admin'],
  'POST /v1/policy/reload': ['policy-admin'],
  // Names and addresses of people.
  'GET /v1/sessions': ['operator', 'auditor'],
  'POST /v1/revocations': ['operator'],
  'POST /v1/drills': ['operator'],
  'POST /v1/enrolment-tokens': ['ca-admin'],
  'GET /v1/authorities': EVERY,
  'POST /v1/authorities/:id/rotate': ['ca-admin'],
  'POST /v1/authorities/:id/request': ['ca-admin'],
  'POST /v1/authorities/:id/import': ['ca-admin'],
  'POST /v1/authorities/:id/crl': ['ca-admin', 'operator'],
  'GET /v1/certificates': EVERY,
  'POST /v1/certificate-revocations': ['ca-admin', 'operator'],
  'GET /v1/ssh-authority': EVERY,
  'POST /v1/ssh-authority/rotate': ['ca-admin'],
  'GET /v1/ssh-authority/krl': EVERY,
  'POST /v1/ssh-revocations': ['ca-admin', 'operator'],
  'GET /v1/devices': ['viewer', 'operator', 'auditor'],
  'POST /v1/device-tokens': ['operator'],
  'POST /v1/devices/:device/approve': ['operator'],
  'POST /v1/devices/:device/revoke': ['operator'],
  'POST /v1/devices/:device/forget': ['operator'],
  'POST /v1/devices/:device/baseline': ['policy-admin'],
  'GET /v1/baselines': ['viewer', 'operator', 'policy-admin', 'auditor'],
  'POST /v1/baselines/:id/approve': ['policy-admin'],
  'POST /v1/baselines/:id/remove': ['policy-admin'],
  // For accounts that are sealed, and for nobody else.
  'POST /v1/break-glass': [],
};

export const OPEN_BREAK_GLASS = 'POST /v1/break-glass';

/** An address of the admin API has no roles, or roles are given for one that is not there. */
export class RouteTableError extends Error {
  readonly code = 'admin-routes';
}

/** Throws RouteTableError unless `routes`, like `GET /v1/status`, are those of the table. */
export function requireRoles(
  routes: readonly string[],
  table: Readonly<Record<string, unknown>> = ROUTES,
): void {
  const open = routes.filter((route) => !Object.hasOwn(table, route));
  if (open.length > 0) throw new RouteTableError(`no roles are given for ${open.join(', ')}`);
  const gone = Object.keys(table).filter((route) => !routes.includes(route));
  if (gone.length > 0)
    throw new RouteTableError(`roles are given for ${gone.join(', ')}, which is not there`);
}

const PATTERNS = Object.keys(ROUTES).map((route) => {
  const [method = '', path = ''] = route.split(' ');
  return { route, method, pattern: new RegExp(`^${path.replace(/:[a-z]+/g, '[^/]+')}$`) };
});

/** The entry of the table that a request is for. */
export function routeOf(method: string, path: string): string | undefined {
  return PATTERNS.find((one) => one.method === method && one.pattern.test(path))?.route;
}
