// The bill of materials of the published package (CycloneDX 1.6): what is installed with it, in which version and with
// which hash, from the lock alone, so that the same lock always makes the same bill.

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

interface Component {
  readonly type: 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly scope: 'required' | 'optional';
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly { readonly expression: string }[];
}

/** `name` and `version` of the package itself. */
export function billOfMaterials(name: string, version: string, lock: Lock): Record<string, unknown> {
  const shipped = Object.entries(lock.packages).filter(
    ([path, { dev, version: at }]) => path !== '' && dev !== true && at !== undefined,
  );
  const components = shipped.map(([path, locked]) => componentOf(path, locked));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': refOf(name, version), name, version } },
    components: components.sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)),
  };
}

function componentOf(path: string, { version = '', integrity, license, optional }: Locked): Component {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return {
    type: 'library',
    'bom-ref': refOf(name, version),
    name,
    version,
    purl: refOf(name, version),
    scope: optional === true ? 'optional' : 'required',
    hashes: integrity === undefined ? [] : [hashOf(integrity)],
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
  };
}

/** A package URL: the scope's @ is escaped. */
function refOf(name: string, version: string): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${version}`;
}

function hashOf(integrity: string): { alg: string; content: string } {
  const [algorithm = '', base64 = ''] = integrity.split(' ')[0]?.split(/-(.*)/s) ?? [];
  return { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(base64, 'base64').toString('hex') };
}
