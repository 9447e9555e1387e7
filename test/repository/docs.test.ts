// Holds the documents to the product: links lead somewhere, commands exist, and examples marked `run` run.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { suite, test } from 'node:test';
import { commands } from '#bin/commands';

const root = join(import.meta.dirname, '../..');
const pages = [...globSync('*.md', { cwd: root }), ...globSync('docs/**/*.md', { cwd: root })].sort();

interface Fence {
  readonly page: string;
  readonly line: number;
  /** The words after the fence: `sh run`. */
  readonly info: readonly string[];
  readonly text: string;
}

function fencesOf(page: string): Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; info: string[]; mark: string; text: string[] } | undefined;
  for (const [index, line] of readFileSync(join(root, page), 'utf8').split('\n').entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (open === undefined && mark !== null) {
      const info = (mark[2] ?? '').trim().split(/\s+/);
      open = { line: index + 1, info, mark: mark[1] ?? '', text: [] };
    } else if (open !== undefined && line.trim() === open.mark) {
      fences.push({ page, line: open.line, info: open.info, text: open.text.join('\n') });
      open = undefined;
    } else open?.text.push(line);
  }
  assert.equal(open, undefined, `${page}:${open?.line}: this fence is never closed`);
  return fences;
}

const fences = pages.flatMap(fencesOf);

test('every fence says what it holds', () => {
  const bare = fences.filter(({ info }) => info[0] === '').map(({ page, line }) => `${page}:${line}`);
  assert.deepEqual(bare, [], 'begin these with ```sh, ```yaml, ```text …');
});

test('every link inside the repository leads somewhere', () => {
  const wrong = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8').replace(/^(`{3,})[\s\S]*?^\1/gm, '');
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file = '', anchor] = target.split('#');
        const path = file === '' ? page : relative(root, join(root, dirname(page), file));
        if (!existsSync(join(root, path))) return true;
        return anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).includes(anchor);
      })
      .map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(wrong, []);
});

/** The anchors a page's headings get when it is shown. */
function anchorsOf(page: string): string[] {
  const headings = readFileSync(join(root, page), 'utf8').match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Every `sallyport …` that a page shows, in a shell fence or between backticks. */
function shownIn(page: string): { line: string; words: string[] }[] {
  const inFences = fencesOf(page)
    .filter(({ info }) => info[0] === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'));
  const prose = readFileSync(join(root, page), 'utf8').replace(/^(`{3,})[\s\S]*?^\1/gm, '');
  const inProse = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...inFences, ...inProse].flatMap((line) => {
    const match =
      /^\s*(?:\$ |sudo |npx |\w+=\S+ )*(?:npm start --|(?:\.\/)?(?:bin\/)?sallyport(?:\.js)?)(?: (.*))?$/.exec(
        line,
      );
    if (match === null) return [];
    const words =
      (match[1] ?? '')
        .split(/ #|[|;&<>]/)[0]
        ?.trim()
        .split(/\s+/) ?? [];
    return [{ line: line.trim(), words: /npm start --/.test(line) ? ['demo', ...words] : words }];
  });
}

test('every command that a page shows exists, with its subcommand and its options', async () => {
  const wrong: string[] = [];
  for (const page of pages) {
    for (const { line, words } of shownIn(page)) {
      const [name = '', subcommand = ''] = words;
      if (name === '' || /^(-|…|<|help$|completion$|\[)/.test(name)) continue;
      const command = commands.find((one) => one.name === name);
      if (command === undefined) {
        wrong.push(`${page}: no command ${name}: ${line}`);
        continue;
      }
      const { help, subcommands = {} } = await command.load();
      const own = subcommands[subcommand];
      if (/^[a-z]/.test(subcommand) && Object.keys(subcommands).length > 0 && own === undefined) {
        wrong.push(`${page}: ${name} has no subcommand ${subcommand}: ${line}`);
      }
      for (const option of words
        .filter((word) => /^--[a-z]/.test(word))
        .map((word) => word.split('=')[0] ?? '')) {
        if (option !== '--help' && !(own ?? help).includes(option)) {
          wrong.push(`${page}: ${name} has no option ${option}: ${line}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('every command that a message names exists, with its subcommand', async () => {
  const wrong: string[] = [];
  for (const file of globSync('{bin,connectors,gateway,policy,siem}/**/*.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [shown, name, subcommand] of text.matchAll(
      /`sallyport ([a-z-]+)(?: ([a-z][a-z-]*))?(?! \$\{)(?=[ `\\])/g,
    )) {
      const command = commands.find((one) => one.name === name);
      const subcommands = Object.keys((await command?.load())?.subcommands ?? {});
      const unknown = subcommand !== undefined && subcommands.length > 0 && !subcommands.includes(subcommand);
      if (name !== 'completion' && name !== 'help' && (command === undefined || unknown))
        wrong.push(`${file}: ${shown}`);
    }
  }
  assert.deepEqual(wrong, []);
});

suite('examples marked `sh run` run, from top to bottom of their page', () => {
  const runnable = fences.filter(({ info }) => info[0] === 'sh' && info.includes('run'));
  for (const page of new Set(runnable.map((fence) => fence.page))) {
    test(page, async () => {
      const shown = runnable
        .filter((fence) => fence.page === page)
        // What is shown to be refused must be: bash itself goes on after a `!` that did not hold.
        .map(({ text }) => text.replace(/^\$ /gm, '').replace(/^! .*$/gm, '$& || exit 9'));
      const script = await onFreePorts(shown.join('\n'));
      // What an example writes lands here; what it reads are the repository's own files.
      const place = mkdtempSync(join(tmpdir(), 'sallyport-docs-'));
      try {
        for (const entry of readdirSync(root)) {
          if (!/^\.git$|^dist$/.test(entry)) symlinkSync(join(root, entry), join(place, entry));
        }
        // As an installation puts it on PATH.
        symlinkSync(join(root, 'bin/sallyport.js'), join(place, 'sallyport'));
        const { status, stdout, stderr } = spawnSync(
          'bash',
          ['--norc', '-euo', 'pipefail', '-c', `trap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n${script}`],
          {
            cwd: place,
            encoding: 'utf8',
            // Only what hangs: each page waits for what it needs.
            timeout: 300_000,
            env: { ...process.env, HOME: place, PATH: `${place}:${process.env['PATH']}` },
          },
        );
        assert.equal(status, 0, `${script}\n---\n${stdout}\n${stderr}`);
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    });
  }
});

/** The script with every port it names (`host:9443`, `listen(3910`) replaced by one that is free here. */
async function onFreePorts(script: string): Promise<string> {
  const named = new Set(script.match(/(?<=[\w\]]:|listen\()\d{4,5}\b/g));
  const held = [...named].map((port) => ({ port, server: createServer().listen(0, '127.0.0.1') }));
  let moved = script;
  for (const { port, server } of held) {
    if (!server.listening) await once(server, 'listening');
    const { port: free } = server.address() as AddressInfo;
    moved = moved.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(free));
  }
  await Promise.all(held.map(({ server }) => new Promise((done) => server.close(done))));
  return moved;
}
