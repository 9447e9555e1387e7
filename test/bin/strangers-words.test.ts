// What others chose is listed as text: it neither reaches a terminal as orders, nor looks like lines of ours.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { summary } from '#bin/commands/change/sign';
import { run as explain } from '#bin/commands/policy/explain';
import { run as sessions } from '#bin/commands/sessions';
import type { Change } from '#gateway/change/bundle';
import { adminSocket } from '#gateway/console/socket';
import { GOOD } from '../gateway/config-document.ts';

const ORDERS = '\u001b[2K\r\u009b1A\u202e\nroot';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

const directory = mkdtempSync(join(tmpdir(), 'sallyport-words-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** What `run` writes on its standard output. */
async function saidBy(t: TestContext, run: () => Promise<number>): Promise<string> {
  let said = '';
  const { write } = process.stdout;
  const catching = t.mock.method(process.stdout, 'write', (chunk: string | Uint8Array) => {
    if (typeof chunk !== 'string') return write.call(process.stdout, chunk);
    said += chunk;
    return true;
  });
  try {
    assert.equal(await run(), 0);
  } finally {
    catching.mock.restore();
  }
  return said;
}

test('sessions of people who are called anything', async (t) => {
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(directory, 'secret'), 'secret', { mode: 0o600 });
  const config = join(directory, 'gateway.yaml');
  writeFileSync(config, `${GOOD}state: ./state\n`);
  const one = { id: 's-1', provider: 'corp', createdAt: 0, lastSeenAt: 0, clientAddress: '192.0.2.1' };
  const listed = [
    { ...one, person: `https://id.example.com#${ORDERS}` },
    { ...one, person: 'b', email: ORDERS },
  ];
  const server = createServer((_request, response) => response.end(JSON.stringify({ sessions: listed })));
  await new Promise<void>((resolve) => server.listen(adminSocket({ state }), resolve));
  t.after(() => server.close());
  const said = await saidBy(t, () => sessions(['--config', config]));
  assert.equal(said.split('\n').length, 3, 'a line each');
  assert.doesNotMatch(said, OBEYED);
  const whole = await saidBy(t, () => sessions(['--config', config, '--json']));
  assert.deepEqual(
    whole
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    listed,
    'programs get it as it is',
  );
});

test('a change that somebody else proposed, for whoever is about to sign it', () => {
  const statement = {
    ...{ version: 1, gateway: ORDERS, repository: ORDERS, branch: ORDERS, author: ORDERS, subject: ORDERS },
    ...{ commit: 'a'.repeat(40), sequence: 1 },
    files: { policy: { path: `policy.yaml${ORDERS}`, sha256: '0'.repeat(64) } },
  } as const;
  const shown = summary({ id: 'b'.repeat(64), statement } as unknown as Change);
  assert.equal(shown.split('\n').length, 6);
  assert.doesNotMatch(shown, OBEYED);
});

test('a request as a rule saw it', async (t) => {
  const file = join(directory, 'policy.yaml');
  writeFileSync(
    file,
    `version: 1
apps: [wiki]
rules: [{ id: staff, allow: wiki, who: idp:staff }]
tests: [{ name: staff, app: wiki, groups: idp:staff, expect: allow }]
`,
  );
  const request = JSON.stringify({ app: 'wiki', user: 'idp#\u202emot', groups: 'idp:\u202edmin' });
  const said = await saidBy(t, async () => Math.max(0, (await explain([file, '--request', request])) - 1));
  assert.match(said, /staff/);
  assert.doesNotMatch(said, OBEYED);
});
