// The state of an earlier version under the program of today: who was signed in is, who was revoked is, and a state that
// a later version wrote is refused and left as it is.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hashSecret, newSecret, SESSION_COOKIE } from '#gateway/identity/cookies';
import type { Scope } from '#test/contract/redis';
import type { Finding } from '../report.ts';
import { Fleet } from './fleet.ts';

/** A state as version 0.1.0 wrote it. */
const FIRST = join(import.meta.dirname, '../../gateway/state/layout-1.sql');
/** When it was written: its times count from here. */
const WRITTEN = 1_772_625_000_000;

export async function upgraded(scope: Scope): Promise<Finding> {
  const fleet = await Fleet.start(scope, { connectors: [] });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  // Its file is whole only once it was closed in order; killed, part of it is still in the log beside it.
  const { code: closed } = await gateway.part.stop();
  if (closed !== 0) throw new Error(`the gateway did not stop in order: ${closed}\n${gateway.part.output}`);
  const cookie = newSecret();
  const file = join(gateway.directory, 'state/state.sqlite');
  replaced(file, firstVersion(cookie));
  const from = performance.now();
  await gateway.start();
  const took = Math.round(performance.now() - from);
  const headers = `${SESSION_COOKIE}=${cookie}`;
  await gateway.connect();
  const old = (await gateway.app(headers)).status;
  const listed = (await gateway.command('sessions', '--json', '--person', 'ada@example.com')).output;
  const revoked = (await gateway.command('revoke', 'person', 'ada@example.com')).code;
  const after = (await gateway.app(headers)).status;
  const saved = (await gateway.command('status')).code;
  await gateway.part.stop();

  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 99');
  db.close();
  const before = readFileSync(file);
  const { code, output } = await gateway.command('gateway');
  const untouched = readFileSync(file).equals(before);
  const said = /has layout 99; this Sallyport knows \d+\. Use the newer version/.exec(output)?.[0] ?? output;
  return {
    required: 'who was signed in is, and can be revoked; a state of a later version is refused as it is',
    measured: `a session of version 0.1.0: ${old}, listed ${listed.includes('ada@example.com')}, revoked ${revoked === 0}, then ${after}; started in ${took} ms; a later one: exits ${code}, "${said.slice(0, 80)}", untouched ${untouched}`,
    held:
      old === 200 &&
      listed.includes('ada@example.com') &&
      revoked === 0 &&
      after === 401 &&
      saved === 0 &&
      code === 1 &&
      said.startsWith('has layout 99') &&
      untouched,
  };
}

/** The first version's state, with its times around now, for the host of a fleet and for `cookie`. */
function firstVersion(cookie: string): string {
  return readFileSync(FIRST, 'utf8')
    .replaceAll('wiki.example.com', 'wiki.localhost')
    .replaceAll('hash-of-a-cookie', hashSecret(cookie))
    .replaceAll(/\b177\d{10}\b/g, (time) => String(Number(time) - WRITTEN + Date.now()));
}

function replaced(file: string, sql: string): void {
  for (const end of ['-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
  const db = new DatabaseSync(file);
  db.exec('DROP TABLE record; PRAGMA user_version = 0;');
  db.exec(sql);
  db.close();
}
