// A database from a terminal: psql speaks to a real PostgreSQL through the gateway as if it were next door.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findProgram, requires } from '#test/requires';
import { StoryInstallation } from '../installation.ts';
import { Part } from '../part.ts';
import { freePorts } from '../ports.ts';
import { Person } from './person.ts';

const INITDB = '/usr/lib/postgresql/*/bin/initdb';
const SUPERUSER = process.getuid?.() === 0;
const skip = requires('nginx', 'psql', INITDB, ...(SUPERUSER ? ['runuser'] : []));

describe('psql', { skip }, () => {
  const undo: (() => Promise<void>)[] = [];
  let installation: StoryInstallation;
  let database: string;
  let dbPort = 0;
  let localPort = 0;

  before(async () => {
    [dbPort = 0] = await freePorts(1);
    installation = await StoryInstallation.start(
      { after: (step) => undo.push(step) },
      {
        further: '  - { id: orders, name: Orders, protocol: tcp, connectors: [rack-1] }\n',
        prepare: (directory) => {
          const edit = (name: string, change: (text: string) => string): void =>
            writeFileSync(join(directory, name), change(readFileSync(join(directory, name), 'utf8')));
          edit('connector.yaml', (text) => `${text}  orders: { url: "tcp://127.0.0.1:${dbPort}" }\n`);
          edit(
            'policy.yaml',
            (text) =>
              `${text.replace('mirror, spare]', 'mirror, spare, orders]')}  - { id: engineers-orders, allow: orders, who: engineering }\n`,
          );
        },
      },
    );
    await startPostgres();
    const ada = new Person(installation, 'ada');
    assert.equal((await (await ada.login()).ended).code, 0);
    const [, line = '{}'] = await ada.run('connect', 'orders', '--json').said(/(\{.*\})/);
    localPort = JSON.parse(line).port;
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
    if (database !== undefined) rmSync(database, { recursive: true, force: true });
  });

  /** The server refuses to run as root: it gets a user and a directory of its own. */
  async function startPostgres(): Promise<void> {
    database = mkdtempSync(join(tmpdir(), 'sallyport-postgres-'));
    const bin = dirname(findProgram(INITDB) ?? '');
    if (SUPERUSER) {
      const passwd = readFileSync('/etc/passwd', 'utf8');
      const [, uid, gid] = /^postgres:[^:]*:(\d+):(\d+)/m.exec(passwd) ?? [];
      chownSync(database, Number(uid), Number(gid));
    }
    const as = SUPERUSER ? ['runuser', '-u', 'postgres', '--'] : [];
    const start = (name: string, ...command: string[]): Part => {
      const [program = '', ...args] = [...as, ...command];
      return new Part(name, program, args, { cwd: '/', log: installation.path(`${name}.log`) });
    };
    const data = join(database, 'data');
    const made = start(
      'initdb',
      join(bin, 'initdb'),
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '--no-sync',
    );
    assert.equal((await made.ended).code, 0, made.output);
    const server = start(
      'postgres',
      join(bin, 'postgres'),
      '-D',
      data,
      '-p',
      String(dbPort),
      '-h',
      '127.0.0.1',
      '-k',
      database,
    );
    installation.atEnd(() => server.stop());
    await server.said(/ready to accept connections/);
  }

  async function psql(port: number, sql: string): Promise<string> {
    const target = [
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-U',
      'postgres',
      '-v',
      'ON_ERROR_STOP=1',
      '-At',
      '-c',
      sql,
    ];
    const part = new Part('psql', 'psql', target, {
      cwd: installation.directory,
      log: installation.path('psql.log'),
    });
    assert.equal((await part.ended).code, 0, part.output);
    return part.output;
  }

  test('asks, writes and reads back as it would next door', async () => {
    await psql(
      localPort,
      'create table orders as select n, md5(n::text) as code from generate_series(1, 50000) n',
    );
    const sql = 'select * from orders order by n';
    const [through, direct] = [await psql(localPort, sql), await psql(dbPort, sql)];
    assert.equal(through.split('\n').length, 50_001);
    const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
    assert.equal(hash(through), hash(direct));
  });

  test('may have many connections at once', async () => {
    const sums = await Promise.all(
      Array.from({ length: 10 }, () => psql(localPort, 'select sum(n) from orders')),
    );
    assert.deepEqual(new Set(sums.map((sum) => sum.trim())), new Set(['1250025000']));
  });
});
