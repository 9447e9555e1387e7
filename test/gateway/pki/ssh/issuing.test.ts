// What SSH certificates the issuing process writes and what it does not, whoever asks.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { sshString } from '#gateway/change/ssh-reader';
import { gatewaySchema } from '#gateway/config';
import { Issuer } from '#gateway/pki/issuer';
import { SshAuthority } from '#gateway/pki/ssh/authority';
import { readSshCertificate, type SshCertificate } from '#gateway/pki/ssh/certificate';
import { type SshConfig, sshSchema } from '#gateway/pki/ssh/config';
import { type SshIssued, SshIssuing, type SshWish } from '#gateway/pki/ssh/issuing';
import { readKeyLine } from '#gateway/pki/ssh/public-key';
import { createLog } from '#siem/log';
import { hostileKeys } from '#test/story/terminal/hostile-keys';

const DAY = 86_400_000;
const place = mkdtempSync(join(tmpdir(), 'sallyport-ssh-issuing-'));
after(() => rmSync(place, { recursive: true, force: true }));

const time = Date.parse('2026-03-04T10:00:00Z');
const now = (): number => time;
const authority = await SshAuthority.open(join(place, 'own'), { now });
const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const blob = Buffer.concat(['ssh-ed25519', Buffer.from(x, 'base64url')].map(sshString));

const ssh = (more: object = {}): SshConfig => sshSchema.parse({ principals: ['deploy'], ...more });
const APPS = {
  shell: ssh({ sources: ['10.0.4.0/24', '10.0.5.7'], command: '/bin/date' }),
  own: ssh({ principals: ['{user}'], domain: 'example.com', life: '1h', extensions: [] }),
  both: ssh({ principals: ['deploy', '{user}'], domain: 'example.com' }),
};
let asked = 0;
function wish(more: Partial<SshWish> = {}): SshWish {
  asked += 1;
  return {
    ...{
      app: 'shell',
      key: blob.toString('base64'),
      person: { id: 'https://id#1', email: 'ada@example.com' },
    },
    ...{ session: 's-1', decision: `d-${asked}`, until: time + DAY },
    ...more,
  };
}

function issuing(perSecond = 1000): SshIssuing {
  return new SshIssuing(APPS, perSecond, now);
}

async function given(more: Partial<SshWish> = {}): Promise<SshCertificate> {
  return certificateOf(await issuing().issue(wish(more), authority.signer));
}

function certificateOf({ certificate }: SshIssued): SshCertificate {
  return readSshCertificate(Buffer.from(certificate.split(' ')[1] ?? '', 'base64'));
}

describe('what is issued', () => {
  test('says who, as whom, from where, and for how long', async () => {
    const read = await given({ decision: 'd-said' });
    const { serial, ...rest } = read;
    assert.ok(serial > 0n);
    assert.deepEqual(rest, {
      ...{
        key: blob,
        kind: 'user',
        keyId: 'ada@example.com session=s-1 decision=d-said',
        principals: ['deploy'],
      },
      ...{ validAfter: time / 1000 - 60, validBefore: time / 1000 + 900, extensions: ['permit-pty'] },
      criticalOptions: { 'source-address': '10.0.4.0/24,10.0.5.7', 'force-command': '/bin/date' },
      authority: authority.signer.blob,
    });
  });

  test('never outlives what allows it', async () => {
    assert.equal((await given({ until: time + 90_500 })).validBefore, time / 1000 + 90);
    for (const until of [time, time + 999, time - 1, Number.NaN, Number.NEGATIVE_INFINITY]) {
      await assert.rejects(given({ until }), { code: 'not-permitted' }, String(until));
    }
    assert.equal((await given({ until: Number.POSITIVE_INFINITY })).validBefore, time / 1000 + 900);
  });

  test('opens a person’s own account, and nobody else’s', async () => {
    const own = async (email: string | undefined): Promise<readonly string[]> => {
      const { principals } = await given({ app: 'own', person: { id: 'https://id#1', email } });
      return principals;
    };
    assert.deepEqual(await own('ada@example.com'), ['ada']);
    assert.deepEqual(await own('Ada.Ferrara@Example.com'), ['ada.ferrara']);
    for (const email of [
      ...[
        undefined,
        '',
        'ada',
        '@example.com',
        'ada@evil.example',
        'ada@example.com.evil',
        'ada@evil@x.example',
      ],
      // Accounts of others, however they are written.
      ...['root@example.com', 'ROOT@example.com', 'deploy@example.com', 'Deploy@EXAMPLE.com'],
      ...[
        'a,root@example.com',
        'a root@example.com',
        'a\nroot@example.com',
        'a\0@example.com',
        '*@example.com',
      ],
      ...[
        '-a@example.com',
        '0@example.com',
        'é@example.com',
        `${'a'.repeat(32)}@example.com`,
        'a@b@example.com',
      ],
    ]) {
      await assert.rejects(
        own(email),
        { code: 'not-permitted', message: /no account is yours/ },
        String(email),
      );
    }
    const both = async (email: string): Promise<readonly string[]> =>
      (await given({ app: 'both', person: { id: 'https://id#1', email } })).principals;
    assert.deepEqual(await both('ada@example.com'), ['deploy', 'ada']);
    assert.deepEqual(await both('root@example.com'), ['deploy']);
  });

  test('has a key id that fits a log, whoever it is of', async () => {
    for (const [id, said] of [
      ['https://id.example#a b', 'https://id.example#a%20b'],
      ['x"\n\0\\%é', 'x%22%0a%00%5c%25%c3%a9'],
      ['a'.repeat(5000), 'a'.repeat(128)],
    ] as const) {
      const { keyId } = await given({ person: { id } });
      assert.ok(keyId.startsWith(`${said} session=`), keyId);
      assert.ok(keyId.length < 512);
    }
    const worst = 'é'.repeat(200);
    const { keyId } = await given({ person: { id: worst, email: '' }, session: worst, decision: worst });
    assert.ok(keyId.length < 512, keyId);
    assert.match(keyId, /^(?:%c3|%a9)+ session=(?:%c3|%a9)+ decision=(?:%c3|%a9)+$/);
  });

  test('is one for a decision, and so many a second', async () => {
    const one = issuing();
    await one.issue(wish({ decision: 'once' }), authority.signer);
    const again = one.issue(wish({ decision: 'once' }), authority.signer);
    await assert.rejects(again, { code: 'not-permitted', message: /used already/ });
    const slow = issuing(1);
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => slow.issue(wish(), authority.signer)),
    );
    assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 10);
    assert.equal(all.filter((one) => one.status === 'rejected' && one.reason.code === 'too-many').length, 40);
  });

  test('is for the apps of the configuration', async () => {
    for (const app of ['', 'Shell', '__proto__', 'constructor', 'toString']) {
      await assert.rejects(given({ app }), { code: 'not-permitted' }, app);
    }
  });

  test('is for no hostile key, and each is told apart', async () => {
    const good = `ssh-ed25519 ${blob.toString('base64')} ada`;
    const { certificate } = await issuing().issue(wish(), authority.signer);
    assert.equal(readKeyLine(good).type, 'ssh-ed25519');
    for (const [name, line] of hostileKeys(good, certificate)) {
      assert.throws(
        () => readKeyLine(line),
        { name: 'IssueError', code: 'bad-key', message: /is not certified: / },
        name,
      );
      const text = line.split(' ')[1] ?? '';
      const key = Buffer.from(text, 'base64');
      // Where the line is at fault and the key in it is not, the key alone may be certified.
      if (key.equals(blob) || key.toString('base64') !== text) continue;
      await assert.rejects(given({ key: key.toString('base64') }), { code: 'bad-key' }, name);
    }
  });
});

describe('the configuration', () => {
  test('names accounts, addresses and durations, and nothing else', () => {
    for (const [more, problem] of [
      [{ principals: [] }, /principals/],
      ...['', 'a,b', 'a b', 'a\n', '*', '-a', '{other}'].map(
        (one) => [{ principals: [one] }, /names of accounts/] as const,
      ),
      [{ principals: ['{user}'] }, /needs the key `domain`/],
      [{ life: '25h' }, /duration/],
      [{ life: '10s' }, /duration/],
      [{ extensions: ['permit-everything'] }, /permit/],
      [{ extensions: ['no-touch-required'] }, /permit/],
      ...['10.0.0.0/33', '10.0.0/8', '::/129', 'host', '', '10.0.0.0/8,0.0.0.0/0', '!10.0.0.1'].map(
        (one) => [{ sources: [one] }, /an address or a network/] as const,
      ),
      [{ command: 'a\nb' }, /one line/],
      [{ other: 1 }, /other/],
    ] as const) {
      const { success, error } = sshSchema.safeParse({ principals: ['deploy'], ...more });
      assert.equal(success, false, JSON.stringify(more));
      assert.match(String(error), problem);
    }
  });

  test('is of TCP apps alone', () => {
    const document = {
      ...{ version: 1, policy: 'p', portal: 'https://access.example.com' },
      identity: {
        providers: [{ id: 'corp', name: 'Corp', issuer: 'https://id.example.com', clientId: 'c' }],
      },
    };
    const app = { id: 'shell', name: 'Shell', connectors: ['rack-1'], ssh: { principals: ['deploy'] } };
    assert.ok(gatewaySchema.safeParse({ ...document, apps: [{ ...app, protocol: 'tcp' }] }).success);
    const http = gatewaySchema.safeParse({ ...document, apps: [{ ...app, host: 'shell.example.com' }] });
    assert.match(String(http.error), /only a tcp app can be sshd/);
  });
});

test('the issuing process alone has the keys', async () => {
  const log = createLog({ service: { name: 'test', version: '0', node: 'test' }, level: 'fatal' });
  const directory = join(place, 'process');
  const ssh = { directory, apps: APPS, perSecond: 1000 };
  const issuer = new Issuer({ authorities: [], keys: { place: 'file' }, ssh }, log);
  after(() => issuer.stop());
  await issuer.open(Date.now);
  const until = Date.now() + DAY;
  const issued = await issuer.ssh(wish({ until }));
  const [key] = await issuer.sshKeys();
  assert.equal(key?.blob, issued.authority);
  assert.deepEqual(certificateOf(issued).principals, ['deploy']);
  await assert.rejects(issuer.ssh(wish({ until, app: 'other' })), {
    name: 'IssueError',
    code: 'not-permitted',
  });
  await assert.rejects(issuer.ssh(wish({ until, key: 'AAAA' })), { name: 'IssueError', code: 'bad-key' });
  const one = wish({ until });
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => issuer.ssh(one)));
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1, '50 uses of one decision');
  for (let times = 0; times < 2; times += 1) {
    await issuer.sshKeep({ from: [until] });
    assert.equal((await issuer.sshKeys()).length, 2);
  }
  // What stands in the name of a file is nobody's to choose.
  for (const time of ['/../../x', -1, 0.5, 1e14, Number.NaN])
    await assert.rejects(issuer.sshKeep({ from: [time as never] }), /is no time/);
  const again = await issuer.ssh(wish({ until }));
  assert.equal(again.authority, issued.authority, 'the next key does not sign yet');
});
