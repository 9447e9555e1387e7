// SSH certificates, as real OpenSSH takes them: a person signs in, ssh gets in by a certificate and no list of keys; what
// sshd must refuse it refuses; and what it logs leads to our record.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { request } from 'undici';
import { ownPassphrase } from '#gateway/pki/authority-directory';
import { openKey } from '#gateway/pki/signer/key-file';
import { type SshCertificateBody, writeSshCertificate } from '#gateway/pki/ssh/certificate';
import { readKeyLine } from '#gateway/pki/ssh/public-key';
import { sshSigner } from '#gateway/pki/ssh/signing-key';
import { requires } from '#test/requires';
import { stepsOf } from '../steps.ts';
import { hostileKeys } from './hostile-keys.ts';
import type { Person } from './person.ts';
import { ACCOUNT, NEEDS, startSshBed } from './ssh-bed.ts';
import { newKey } from './sshd.ts';

test('SSH certificates', { skip: requires(...NEEDS) }, async (t) => {
  const step = stepsOf(t);
  const bed = await startSshBed(t);
  const { installation, ada, ben, dispatcher, at, run, program, ssh, keyOf, direct, refusedDirectly } = bed;
  const { sshdSaid, forget, recorded } = bed;
  const issued = () => recorded('ssh-certificate-issued');

  await step('plain ssh gets a certificate by itself, and gets in', async () => {
    const { code, output } = await ssh('shell.prod', 'echo from the other side; exit 7');
    assert.match(output, /from the other side/);
    assert.equal(code, 7);
    assert.equal(issued().length, 1);
    writeFileSync(at('report'), 'a report');
    const copied = await program(
      'scp',
      '-F',
      at('ssh_config'),
      'report',
      `${ACCOUNT}@shell.prod:${at('copied')}`,
    );
    assert.equal(copied.code, 0, copied.output);
    assert.equal(issued().length, 1, 'the certificate that is there is used again');
  });

  await step('ssh-keygen reads of it what the record says, and sshd logs what leads there', async () => {
    const listed = execFileSync('ssh-keygen', ['-L', '-f', `${keyOf('shell.prod')}-cert.pub`], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    const [event] = issued();
    const own = event?.sallyport;
    const {
      serial,
      holder,
      principals,
      key_fingerprint: key,
      authority,
      not_after: notAfter,
    } = own?.certificate ?? {};
    const [, from = '', to = ''] = /Valid: from (\S+) to (\S+)/.exec(listed) ?? [];
    assert.deepEqual(
      {
        serial: /Serial: (\d+)/.exec(listed)?.[1],
        holder: /Key ID: "(.*)"/.exec(listed)?.[1],
        principals: [/Principals: \n\s+(\S+)/.exec(listed)?.[1]],
        key: /Public key: \S+ (\S+)/.exec(listed)?.[1],
        authority: /Signing CA: ECDSA (\S+)/.exec(listed)?.[1],
        notAfter: `${to}.000Z`,
      },
      { serial, holder, principals, key, authority, notAfter },
    );
    assert.match(String(holder), /^ada@example\.com session=\S+ decision=\S+$/);
    assert.deepEqual(principals, [ACCOUNT]);
    assert.match(listed, /Critical Options: \n\s+source-address 127\.0\.0\.1\n/);
    assert.match(listed, /Extensions: \n\s+permit-pty\n?$/);
    const life = Date.parse(`${to}Z`) - Date.parse(`${from}Z`);
    assert.ok(life > 0 && life <= 17 * 60_000, `${life} ms`);
    const [, logged, number, signer] = await sshdSaid(
      /Accepted publickey for \S+ .* ID (.*) \(serial (\d+)\) CA ECDSA (\S+)/,
    );
    assert.deepEqual([logged, number, signer], [holder, serial, authority]);
    const decision = own?.decision?.id;
    const decided = installation.events().find((one) => one.event.id === decision);
    assert.equal(decided?.event.action, 'access-allowed');
    assert.equal(event?.user?.email, 'ada@example.com');
  });

  await step('sallyport ssh needs no configuration', async () => {
    const { code, output } = await run(
      ada,
      ...['ssh', `${ACCOUNT}@shell.prod`, '-o', `UserKnownHostsFile=${at('known_hosts')}`],
      ...['-o', 'StrictHostKeyChecking=accept-new', '-o', 'BatchMode=yes', 'echo by sallyport; exit 3'],
    );
    assert.match(output, /by sallyport/);
    assert.equal(code, 3);
  });

  await step(
    'sshd refuses another account, another address, another authority and what has ended',
    async () => {
      for (const [app, why] of [
        ['shell.wrong', /name is not a listed principal/],
        ['shell.away', /not from a permitted source address/],
      ] as const) {
        forget();
        const { code, output } = await ssh(app, 'true');
        assert.equal(code, 255, output);
        assert.match(output, /Permission denied/);
        await sshdSaid(why);
      }
      const wrong = issued().find((event) => event.sallyport?.app?.id === 'shell.wrong');
      assert.deepEqual(wrong?.sallyport?.certificate?.principals, ['somebody-else', 'ada']);
      const [login] = recorded('login-succeeded').filter(({ user }) => user?.email === 'ada@example.com');
      const after =
        Date.parse(wrong?.sallyport?.certificate?.not_after ?? '') - Date.parse(login?.['@timestamp'] ?? '');
      assert.ok(after > 0 && after <= 5 * 60_000, `no longer than the rule's maxSession: ${after} ms`);

      newKey(at('foreign-ca'));
      newKey(at('foreign'));
      execFileSync('ssh-keygen', ['-q', '-s', at('foreign-ca'), '-I', 'x', '-n', ACCOUNT, at('foreign.pub')]);
      await refusedDirectly(at('foreign'), /Failed publickey for .* ID x \(serial 0\) CA ED25519 /);

      const directory = at('state/ssh-ca');
      const [file = ''] = globSync('user-*.key', { cwd: directory });
      const signer = sshSigner(openKey(join(directory, file), { passphrase: ownPassphrase(directory) }));
      const now = Math.floor(Date.now() / 1000);
      const body = (name: string): SshCertificateBody => ({
        key: readKeyLine(readFileSync(at(`${name}.pub`), 'utf8').trim()).blob,
        ...{ serial: 5n, keyId: 'made by hand', principals: [ACCOUNT], criticalOptions: {}, extensions: [] },
        ...{ validAfter: now - 60, validBefore: now + 60 },
      });
      for (const [name, more, why] of [
        ['good', {}, undefined],
        ['ended', { validAfter: now - 600, validBefore: now - 1 }, /Certificate invalid: expired/],
        ['early', { validAfter: now + 600, validBefore: now + 900 }, /Certificate invalid: not yet valid/],
      ] as const) {
        newKey(at(name));
        const blob = await writeSshCertificate({ ...body(name), ...more }, signer);
        writeFileSync(
          at(`${name}-cert.pub`),
          `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}\n`,
        );
        if (why === undefined) assert.equal((await direct(at(name))).code, 0);
        else await refusedDirectly(at(name), why);
      }
    },
  );

  await step('policy decides, and says no more than it does of a connection', async () => {
    const before = issued().length;
    const denied = async (person: Person, app: string): Promise<string> => {
      const { code, output } = await run(person, 'ssh-cert', app);
      assert.equal(code, 1, output);
      return /sallyport ssh-cert: (.*?)(?: \(reference|\n)/.exec(output)?.[1] ?? output;
    };
    const words = [
      await denied(ben, 'shell.prod'),
      await denied(ben, 'shell.secret'),
      await denied(ben, 'nowhere'),
    ];
    assert.equal(new Set(words).size, 1, words.join('\n'));
    const decided = recorded('access-denied').filter((event) => event.sallyport?.app?.id === 'shell.secret');
    assert.equal(decided.length, 1);
    assert.match(await denied(ada, 'plain'), /takes no certificates/);
    assert.match(await denied(ada, 'shell.nobody'), /no account is yours/);
    const refused = recorded('ssh-certificate-refused');
    assert.deepEqual(
      refused.map(({ event }) => event.code),
      ['not-permitted'],
    );
    assert.equal(issued().length, before);
  });

  const credentials = JSON.parse(readFileSync(`${ada.home}/sallyport/credentials.json`, 'utf8'));
  const ask = async (
    body: unknown,
    token = credentials.token,
  ): Promise<{ status: number; body: Record<string, string> }> => {
    const reply = await request(`${installation.portal}/ssh/certificate`, {
      ...{ dispatcher, method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    return { status: reply.statusCode, body: (await reply.body.json()) as Record<string, string> };
  };

  await step('hostile keys and requests get a clear answer, and nothing is issued', async () => {
    const before = issued().length;
    const ours = readFileSync(`${keyOf('shell.prod')}.pub`, 'utf8').trim();
    const certificate = readFileSync(`${keyOf('shell.prod')}-cert.pub`, 'utf8').trim();
    let refused = 0;
    for (const [name, key] of hostileKeys(ours, certificate)) {
      const { status, body } = await ask({ app: 'shell.prod', key });
      assert.equal(status, 400, `${name}: ${status} ${JSON.stringify(body)}`);
      assert.match(body['message'] ?? '', /key|characters|expected|bytes/i, name);
      refused += 1;
    }
    for (const body of [
      '',
      '{',
      '[]',
      'null',
      '{"app":"shell.prod"}',
      { app: 'shell.prod', key: ours, principals: ['root'] },
      { app: ['shell.prod'], key: ours },
      'x'.repeat(10_000),
    ]) {
      assert.equal((await ask(body)).status, 400, JSON.stringify(body).slice(0, 80));
      refused += 1;
    }
    assert.equal((await ask({ app: 'shell.prod', key: ours }, 'A'.repeat(43))).status, 401);
    assert.equal(issued().length, before);
    t.diagnostic(`${refused} hostile keys and requests refused, nothing issued`);
  });

  await step('many that begin at once make one key, and one that was cut off is gone on with', async () => {
    const many = async (): Promise<void> => {
      const all = await Promise.all(Array.from({ length: 6 }, () => run(ada, 'ssh-cert', 'shell.first')));
      for (const { code, output } of all) assert.equal(code, 0, output);
    };
    await many();
    const key = keyOf('shell.first');
    const made = readFileSync(key, 'utf8');
    rmSync(`${key}.pub`);
    await many();
    assert.equal(readFileSync(key, 'utf8'), made);
    assert.deepEqual(
      readdirSync(dirname(key)).filter((name) => name.startsWith('shell.first')),
      ['shell.first', 'shell.first-cert.pub', 'shell.first.pub'],
    );
  });
});
