// SSH certificates that are good no more: keys turn, a certificate is taken away, a person loses access; and real sshd,
// which fetches what the gateway publishes, lets nobody in by them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, globSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { request } from 'undici';
import { logOf } from '#siem/ledger/kinds';
import { requires } from '#test/requires';
import { stepsOf } from '../steps.ts';
import { NEEDS, startSshBed } from './ssh-bed.ts';

const CONFIG = ['--config', 'gateway.yaml'] as const;

test('SSH certificates are taken away', { skip: requires(...NEEDS) }, async (t) => {
  const step = stepsOf(t);
  const bed = await startSshBed(t);
  const { installation, ada, dispatcher, at, ca, run, ssh, keyOf, direct, refusedDirectly, recorded } = bed;
  assert.equal((await run(ada, 'ssh-cert', 'shell.prod')).code, 0);

  await step('keys turn with both of them published, and one that was lost is gone at once', async () => {
    const published = async (): Promise<string[]> => {
      const lines = (await ca('ssh-public-key')).trim().split('\n');
      const reply = await request(`${installation.portal}/ssh/authority.pub`, { dispatcher });
      assert.deepEqual((await reply.body.text()).trim().split('\n'), lines);
      return lines;
    };
    const [first = ''] = await published();
    assert.match(await ca('ssh-rotate', '--after', '15m'), /the next key signs from/);
    const both = await published();
    assert.equal(both.length, 2);
    assert.ok(both.includes(first));
    const again = await installation.sallyport('ca', 'ssh-rotate', '--after', '1h', ...CONFIG);
    assert.equal(again.code, 1);
    assert.match(again.output, /published already, and signs from/);
    const old = keyOf('shell.prod');
    for (const file of ['', '.pub', '-cert.pub']) copyFileSync(`${old}${file}`, at(`old${file}`));
    assert.equal((await run(ada, 'ssh-cert', 'shell.prod')).code, 0);
    assert.equal((await direct(old)).code, 0, 'signed by the key that is trusted already');
    await ca('ssh-rotate', '--compromised');
    const after = await published();
    assert.equal(after.length, 1);
    assert.ok(!both.includes(after[0] ?? ''));
    assert.equal(globSync('user-*.key', { cwd: at('state/ssh-ca') }).length, 1);
    await ca('ssh-public-key', '--out', 'user-ca.pub');
    await refusedDirectly(at('old'), /./);
    assert.equal((await run(ada, 'ssh-cert', 'shell.prod')).code, 0);
    assert.equal((await ssh('shell.prod', 'true')).code, 0, 'by the new key');
  });

  await step('one certificate is taken away, and sshd refuses it by the list', async () => {
    const told = JSON.parse((await run(ada, 'ssh-cert', 'shell.prod', '--json')).output);
    assert.equal((await direct(told.key)).code, 0);
    assert.match(
      await ca('ssh-revoke', '--serial', told.serial, '--reason', 'laptop lost'),
      /revoked: .* of ada@/,
    );
    await ca('ssh-krl', '--out', 'revoked.krl');
    assert.equal(spawnSync('ssh-keygen', ['-Q', '-f', at('revoked.krl'), told.certificate]).status, 1);
    await refusedDirectly(told.key, /revoked/i);
    const unknown = await installation.sallyport('ca', 'ssh-revoke', '--serial', '4', ...CONFIG);
    assert.match(unknown.output, /no SSH certificate with the serial number 4/);
    assert.equal((await run(ada, 'ssh-cert', 'shell.prod')).code, 0);
    assert.equal((await direct(told.key)).code, 0, 'another one is good');
  });

  await step('who is revoked gets none, and loses those they have', async () => {
    const key = keyOf('shell.prod');
    const { code, output } = await installation.sallyport('revoke', 'person', 'ada@example.com', ...CONFIG);
    assert.equal(code, 0, output);
    const refused = await run(ada, 'ssh-cert', 'shell.prod');
    assert.equal(refused.code, 1);
    assert.match(refused.output, /sign-in has ended/);
    assert.equal((await ssh('shell.prod', 'true')).code, 255, 'the gateway carries nothing more');
    assert.equal((await direct(key)).code, 0, 'an sshd that has not fetched the list does not know');
    const reply = await request(`${installation.portal}/ssh/revoked.krl`, { dispatcher });
    writeFileSync(at('revoked.krl'), Buffer.from(await reply.body.arrayBuffer()));
    await refusedDirectly(key, /revoked/i);
  });

  await step('what changes is in the log of changes', async () => {
    for (const [action, count] of [
      ['ssh-certificate-issued', 5],
      ['certificate-revoked', 1],
      // One of them was refused, after it was recorded that it was asked for.
      ['authority-changed', 3],
    ] as const) {
      assert.equal(recorded(action).length, count, action);
      assert.equal(logOf(action), 'changes');
    }
    const verified = await installation.sallyport('audit', 'verify', ...CONFIG);
    assert.equal(verified.code, 0, verified.output);
  });
});
