// The same request to nginx directly and through gateway and connector, by real curl: every answer must be the same,
// status, headers and body, but for what belongs to one connection only.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findProgram, requires } from '#test/requires';
import { StoryInstallation } from '../installation.ts';
import { Part, until } from '../part.ts';
import { freePorts } from '../ports.ts';
import { BODIES, type Case, cases } from './cases.ts';

/** Headers of the connection, or of the moment, and none of the answer. */
const OF_THE_HOP = /^(?:connection|keep-alive|transfer-encoding|date):/i;
const AT_ONCE = 4;

describe('HTTP through the gateway', { skip: requires('nginx', 'curl') }, () => {
  const undo: (() => Promise<void>)[] = [];
  let installation: StoryInstallation;
  let direct: string[];
  let through: string[];

  before(async () => {
    const [port = 0] = await freePorts(1);
    installation = await StoryInstallation.start(
      { after: (step) => undo.push(step) },
      {
        further: '  - { id: semantics, name: Semantics, host: semantics.localhost, connectors: [rack-1] }\n',
        prepare: (directory) => {
          const edit = (name: string, change: (text: string) => string): void =>
            writeFileSync(join(directory, name), change(readFileSync(join(directory, name), 'utf8')));
          edit('connector.yaml', (text) => `${text}  semantics: { url: "http://127.0.0.1:${port}" }\n`);
          edit(
            'policy.yaml',
            (text) =>
              `${text.replace('mirror, spare]', 'mirror, spare, semantics]')}  - { id: engineers-semantics, allow: semantics, who: engineering }\n`,
          );
        },
      },
    );
    await startServer(installation, port);
    const ada = installation.visitor();
    await ada.signIn(`${installation.originOf('semantics')}/`, 'ada', 'key');
    writeFileSync(installation.path('ada.cookies'), ada.cookieJar('semantics.localhost'), { mode: 0o600 });
    const host = `semantics.localhost:${installation.ports.people}`;
    direct = ['--header', `Host: ${host}`, `http://127.0.0.1:${port}`];
    through = ['--cacert', 'state/development-ca/ca.pem', '--cookie', 'ada.cookies', `https://${host}`];
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test('is the same as without it, in every case', async (t) => {
    const differences: string[] = [];
    const all = cases();
    assert.ok(all.length >= 200, `${all.length} cases`);
    const left = [...all];
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [plain, carried] = await Promise.all([ask(next, direct), ask(next, through)]);
        if (plain !== carried)
          differences.push(`${next.name}:\n--- directly\n${plain}\n--- through the gateway\n${carried}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    t.diagnostic(`${all.length} exchanges compared, ${differences.length} differ`);
    assert.deepEqual(differences, []);
  });

  test('carries git clone', { skip: requires('git') }, async () => {
    const repository = installation.path('semantics/html/repository');
    const git = async (...args: string[]): Promise<string> =>
      (
        await run(
          'git',
          ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'protocol.version=0', ...args],
          installation.directory,
        )
      ).output;
    mkdirSync(repository);
    await git('init', '--quiet', repository);
    for (let i = 0; i < 20; i += 1) writeFileSync(join(repository, `${i}.bin`), randomBytes(50_000));
    await git('-C', repository, 'add', '.');
    await git('-C', repository, 'commit', '--quiet', '--message', 'content');
    await git('-C', repository, 'update-server-info');
    const url = `${installation.originOf('semantics')}/repository/.git`;
    const options = ['-c', 'http.cookieFile=ada.cookies'];
    assert.equal(await git(...options, 'clone', '--quiet', url, installation.path('cloned')), '');
    const head = await git('-C', repository, 'rev-parse', 'HEAD^{tree}');
    assert.match(head, /^[0-9a-f]{40}$/m);
    assert.equal(await git('-C', installation.path('cloned'), 'rev-parse', 'HEAD^{tree}'), head);
  });

  /** One answer, in a form that two can be compared in: status line, headers in order, length and hash of the body. */
  async function ask({ args, path }: Case, target: readonly string[]): Promise<string> {
    const url = `${target.at(-1)}${path}`;
    const options = [
      '--silent',
      '--show-error',
      '--globoff',
      '--path-as-is',
      '--include',
      '--max-time',
      '30',
      ...target.slice(0, -1),
    ];
    const { bytes, output, code } = await run('curl', [...options, ...args, url], installation.path('.'));
    const end = headEnd(bytes);
    const head = bytes.subarray(0, end).toString('latin1');
    const body = bytes.subarray(end);
    const lines = head
      .replace(/^HTTP\/1\.[01] 100 Continue\r\n\r\n/, '')
      .split('\r\n')
      .filter((line) => !OF_THE_HOP.test(line));
    const multipart = /boundary=(\w+)/.exec(head)?.[1];
    // nginx numbers the boundaries of its multipart answers.
    const unnumbered =
      multipart === undefined
        ? body
        : Buffer.from(body.toString('latin1').replaceAll(multipart, 'BOUNDARY'), 'latin1');
    const text = lines.join('\n').replaceAll(multipart ?? '\0', 'BOUNDARY');
    const said = code === 0 ? '' : `curl ended with ${code}: ${output}`;
    return `${text}\n${unnumbered.length} bytes ${createHash('sha256').update(unnumbered).digest('hex')} ${said}`;
  }
});

/** Where the last head ends: an informational one may come before it. */
function headEnd(bytes: Buffer): number {
  const first = bytes.indexOf('\r\n\r\n') + 4;
  return /^HTTP\/1\.1 1\d\d/.test(bytes.toString('latin1', 0, 12))
    ? bytes.indexOf('\r\n\r\n', first) + 4
    : first;
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number; bytes: Buffer; output: string }> {
  return new Promise((resolve) => {
    const options = {
      cwd,
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
      // The environment's own choice of authorities would win over git's configuration.
      env: { ...process.env, HOME: cwd, GIT_SSL_CAINFO: join(cwd, 'state/development-ca/ca.pem') },
    } as const;
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
      resolve({
        code,
        bytes: stdout,
        output: code === 0 && program !== 'curl' ? stdout.toString() : stderr.toString(),
      });
    });
  });
}

/** nginx with an answer for everything that the cases ask. */
async function startServer(installation: StoryInstallation, port: number): Promise<void> {
  const directory = installation.path('semantics');
  const html = join(directory, 'html');
  mkdirSync(join(html, 'folder'), { recursive: true });
  const files: Record<string, string | Buffer> = {
    'index.html': '<!doctype html><title>Index</title>',
    'empty.txt': '',
    'one.txt': '1',
    'text.txt': 'line of text\n'.repeat(500),
    'slow.txt': 'slow '.repeat(2000),
    'large.bin': randomBytes(3 * 1024 * 1024),
    'café.txt': 'coffee',
    'with space.txt': 'space',
    "it's(a)~name!.txt": 'odd',
    'folder/index.html': 'folder',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(html, name), content);
  for (const [index, body] of BODIES.entries()) writeFileSync(installation.path(`body-${index}`), body);
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');
  const statuses = cases()
    .flatMap(({ path }) => /^\/status\/(\d+)$/.exec(path)?.[1] ?? [])
    .filter((status, index, all) => all.indexOf(status) === index)
    .map(
      (status) =>
        `location = /status/${status} { add_header X-Status ${status} always; return ${status} ${/^30[12378]$/.test(status) ? '/elsewhere' : ''}; }`,
    );
  const many = Array.from({ length: 60 }, (_, i) => `add_header X-Many-${i} "value ${i}";`).join(' ');
  writeFileSync(
    join(directory, 'nginx.conf'),
    `${user}daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 512; }
http {
  access_log off; ${temporary}
  types { text/html html; text/plain txt; application/octet-stream bin; }
  gzip on; gzip_types text/plain; gzip_min_length 100; charset utf-8;
  client_max_body_size 8m; absolute_redirect off;
  server {
    listen 127.0.0.1:${port}; root ${html};
    ${statuses.join('\n    ')}
    location = /echo { return 200 "$request_method $request_uri $args"; }
    location = /headers { ${many} add_header Set-Cookie "a=1; Path=/"; add_header Set-Cookie "b=2; HttpOnly"; return 200 "many"; }
    location = /upload { client_body_in_single_buffer on; return 200 "$request_method"; }
    location = /small { client_max_body_size 10; return 200 "small"; }
    location = /slow.txt { limit_rate 8k; }
    location = /ready { return 204; }
  }
}
`,
  );
  const args = ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', join(directory, 'error.log')];
  const part = new Part('nginx', findProgram('nginx') ?? 'nginx', args, {
    cwd: directory,
    log: join(directory, 'output'),
  });
  installation.atEnd(() => part.stop());
  await until('nginx answers', () => fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined));
}
