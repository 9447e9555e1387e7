// A gateway with the operator's own certificate: that one is shown to people, and a key that others can read is refused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { Visitor } from '#bin/demo/visitor';
import { requires } from '#test/requires';
import { StoryInstallation } from './installation.ts';

test('people see the operator’s certificate', { skip: requires('nginx', 'openssl') }, async (t) => {
  const installation = await StoryInstallation.start(t, {
    prepare: (directory) => {
      const names = ['access', 'wiki', 'vault'].map((name) => `DNS:${name}.localhost`).join(',');
      const request = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ];
      const subject = ['-subj', '/CN=operator', '-addext', `subjectAltName=${names}`];
      const files = ['-keyout', join(directory, 'own.key'), '-out', join(directory, 'own.pem')];
      execFileSync('openssl', [...request, ...subject, ...files], { stdio: 'ignore' });
      chmodSync(join(directory, 'own.key'), 0o600);
      const document = join(directory, 'gateway.yaml');
      const text = readFileSync(document, 'utf8');
      writeFileSync(document, `${text}tls: { certificate: ./own.pem, key: ./own.key }\n`);
    },
  });
  const own = readFileSync(installation.path('own.pem'), 'utf8');
  const shown = await new Promise<string>((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: installation.ports.people,
      servername: 'wiki.localhost',
      ca: own,
    };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
  assert.equal(shown, new X509Certificate(own).fingerprint256);

  const visitor = new Visitor(`${own}\n${installation.ca}`);
  const page = await visitor.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
  assert.equal(page.status, 200);
  assert.match(page.body, /never heard of a gateway/);
  await visitor.close();

  await installation.gateway.stop();
  chmodSync(installation.path('own.key'), 0o644);
  const refused = installation.run('again', ['gateway', '--config', 'gateway.yaml']);
  const { code } = await refused.ended;
  assert.equal(code, 1);
  assert.match(refused.output, /own\.key has mode 644.*chmod 600/);
});
