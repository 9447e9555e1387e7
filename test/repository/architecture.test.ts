// Holds the import rules of the rooms, and shows that each rule fails when it is broken.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { checkArchitecture } from './architecture.ts';
import { ROOMS } from './graph.ts';
import { specifiersOf } from './specifiers.ts';

const root = join(import.meta.dirname, '../..');

test('the rooms import one way only', () => {
  assert.deepEqual(checkArchitecture(root), []);
});

/** A copy of the rooms to plant in; each violation is pulled out again. */
let copy = '';
let known: ReadonlySet<string> = new Set();

/** The complaints that appear when `files` are added to the copy. */
function withPlanted(files: Readonly<Record<string, string>>): string[] {
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      // Never over a file that is there: what is pulled out again must be what was planted.
      writeFileSync(join(copy, file), text, { flag: 'wx' });
    }
    return checkArchitecture(copy).filter((problem) => !known.has(problem));
  } finally {
    for (const file of Object.keys(files)) rmSync(join(copy, file));
  }
}

const planted: readonly {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly says: readonly RegExp[];
}[] = [
  {
    name: 'policy reaches a file system through two of its own files',
    files: {
      'policy/zz1.ts': "import { a } from './zz2.ts';\nexport const b: number = a;\n",
      'policy/zz2.ts': "export { a } from '#policy/zz3';\n",
      'policy/zz3.ts': "import 'node:fs';\nexport const a = 1;\n",
    },
    says: [/^policy\/zz3\.ts -> node:fs: a decision is a pure function/],
  },
  {
    name: 'policy names a package that it does not need',
    files: { 'policy/zz1.ts': "import ws from 'ws';\nexport const a: unknown = ws;\n" },
    says: [/^policy\/zz1\.ts -> npm:ws: /],
  },
  {
    name: 'policy names another room for its types only',
    files: {
      'policy/zz1.ts': "import type { Z } from '#siem/zz';\nexport type B = Z;\n",
      'siem/zz.ts': 'export type Z = number;\n',
    },
    says: [/^policy\/zz1\.ts -> siem\/zz\.ts: /],
  },
  {
    name: 'policy reads the clock',
    files: {
      'policy/zz1.ts': '// a Date.now() in a comment is none\nexport const a = (): number => Date.now();\n',
    },
    says: [/^policy\/zz1\.ts:2: Date\.now reads the clock/],
  },
  {
    name: 'a connector reaches the gateway through three files and an import()',
    files: {
      'connectors/link/zz1.ts': "export * from './zz2.ts';\n",
      'connectors/link/zz2.ts': "export const load = (): Promise<unknown> => import('#gateway/zz3');\n",
      'gateway/zz3.ts': 'export const a = 1;\n',
    },
    says: [/^connectors\/link\/zz2\.ts -> gateway\/zz3\.ts: a connector runs beside the apps/],
  },
  {
    name: 'a connector starts a worker that lies in the gateway',
    files: {
      'connectors/link/zz1.ts': "export const url: URL = new URL('../../gateway/zz2.ts', import.meta.url);\n",
      'gateway/zz2.ts': 'export const a = 1;\n',
    },
    says: [/^connectors\/link\/zz1\.ts -> gateway\/zz2\.ts: /],
  },
  {
    name: 'two rooms of connectors share more than the wire',
    files: {
      'connectors/zza/a.ts': "import { b } from '../zzb/b.ts';\nexport const a: number = b;\n",
      'connectors/zzb/b.ts': 'export const b = 1;\n',
    },
    says: [/^connectors\/zza\/a\.ts -> connectors\/zzb\/b\.ts: .* share the wire only/],
  },
  {
    name: 'the verifier uses the attester',
    files: {
      'gateway/attest/zz1.ts': "import { b } from '#gateway/zz2';\nexport const a: number = b;\n",
      'gateway/zz2.ts': "export { b } from '#connectors/device/zz3';\n",
      'connectors/device/zz3.ts': 'export const b = 1;\n',
    },
    says: [
      /^gateway\/attest\/zz1\.ts -> gateway\/zz2\.ts -> connectors\/device\/zz3\.ts: attester and verifier/,
    ],
  },
  {
    name: 'the process with the authorities’ keys runs a package',
    files: {
      'gateway/pki/issuer-process.ts.zz/a.ts':
        "import type { ZodError } from 'zod';\nexport type A = ZodError;\n",
      'gateway/pki/issuer-process.ts.zz/b.ts': "import { z } from 'zod';\nexport const b: unknown = z;\n",
    },
    says: [
      /^gateway\/pki\/issuer-process\.ts\.zz\/b\.ts -> npm:zod: the process that holds the authorities’ keys/,
    ],
  },
  {
    name: 'the record knows the gateway',
    files: {
      'siem/zz1.ts': "import { a } from '../gateway/zz2.ts';\nexport const b: number = a;\n",
      'gateway/zz2.ts': 'export const a = 1;\n',
    },
    says: [/^siem\/zz1\.ts -> gateway\/zz2\.ts: the record may name a decision/],
  },
  {
    name: 'product code depends on a test',
    files: { 'gateway/zz1.ts': "import '#test/zz2';\n", 'test/zz2.ts': 'export const a = 1;\n' },
    says: [/^gateway\/zz1\.ts -> test\/zz2\.ts: /],
  },
  {
    name: 'two files wait for each other',
    files: {
      'siem/zz1.ts': "import { b } from './zz2.ts';\nexport const a: number = b;\n",
      'siem/zz2.ts': "import { a } from './zz1.ts';\nexport const b: number = a;\n",
    },
    says: [/^siem\/zz1\.ts -> siem\/zz2\.ts -> siem\/zz1\.ts: a cycle/],
  },
  {
    name: 'two files name each other for their types',
    files: {
      'siem/zz1.ts': "import type { B } from './zz2.ts';\nexport type A = B[];\n",
      'siem/zz2.ts': "import type { A } from './zz1.ts';\nexport type B = A | number;\n",
    },
    says: [/^siem\/zz1\.ts -> siem\/zz2\.ts -> siem\/zz1\.ts: a cycle/],
  },
  {
    name: 'an import() of a computed name, and of a file that is not there',
    files: {
      'gateway/zz1.ts': 'export const load = (name: string): Promise<unknown> => import(name);\n',
      'gateway/zz2.ts': "import './zz9.ts';\n",
    },
    says: [
      /^gateway\/zz1\.ts:1: .*computed name/,
      /^gateway\/zz2\.ts:1: .*gateway\/zz9\.ts, which does not exist/,
    ],
  },
  {
    name: 'a source file named as a text, which the build would not rename',
    files: { 'gateway/zz1.ts': "export const file = 'bin/main.ts';\n" },
    says: [/^gateway\/zz1\.ts:1: 'bin\/main\.ts' is named as a text/],
  },
];

suite('a planted violation is refused with the chain that breaks the rule:', () => {
  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'sallyport-architecture-'));
    for (const entry of ['package.json', ...ROOMS]) {
      cpSync(join(root, entry), join(copy, entry), { recursive: true });
    }
    known = new Set(checkArchitecture(copy));
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  for (const { name, files, says } of planted) {
    test(name, () => {
      const problems = withPlanted(files);
      for (const expected of says) {
        assert.ok(
          problems.some((problem) => expected.test(problem)),
          `${expected} not in:\n${problems.join('\n')}`,
        );
      }
      assert.equal(problems.length, says.length, problems.join('\n'));
    });
  }
});

test('every way to name a module is read, and nothing else is', () => {
  const source = [
    "import a, { b as c } from './one.ts';",
    "import type { D } from '#two/x';",
    "import './three.ts';",
    "export * as e from 'four';",
    "export { f } from 'node:five';",
    "type G = import('./six.ts').G;",
    "let h: typeof import('./seven.ts');",
    "await import('./eight.ts');",
    "new URL('./nine.ts', import.meta.url);",
    'import(`./ten.ts`);',
    `import(\`./\${a}.ts\`);`,
    "// import './no.ts'",
    "/* export * from './no.ts' */",
    `const text = "import './no.ts'" + \`import './no.ts' \${b('import "./no.ts"')} from './no.ts'\`;`,
    "const shape = /'/; const q = a / b; object.import('./no.ts');",
    "const from = 'x'; export const from2 = { import: './no.ts' };",
    "new URL('./no.ts', base);",
    "import last from './last.ts';",
  ].join('\n');
  assert.deepEqual(
    specifiersOf(source).map(({ kind, text, line }) => `${line} ${kind} ${text}`),
    [
      '1 import ./one.ts',
      '2 type #two/x',
      '3 import ./three.ts',
      '4 import four',
      '5 import node:five',
      '6 dynamic ./six.ts',
      '7 dynamic ./seven.ts',
      '8 dynamic ./eight.ts',
      '9 worker ./nine.ts',
      '10 dynamic ./ten.ts',
      '11 dynamic undefined',
      '18 import ./last.ts',
    ],
  );
});
