// A real OpenSSH server on loopback, with a host key of its own, for stories.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { findProgram } from '#test/requires';
import type { StoryInstallation } from '../installation.ts';
import { Part } from '../part.ts';

/** An Ed25519 key in `file`, and its public half beside it. */
export function newKey(file: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'story', '-f', file]);
}

/** `further`: who may log in, as lines of its configuration. */
export async function startSshd(
  installation: StoryInstallation,
  port: number,
  further: string,
): Promise<Part> {
  const folder = installation.path('sshd');
  mkdirSync(folder, { mode: 0o700 });
  newKey(`${folder}/host`);
  // Where a system has never started sshd, the directory it confines itself to is not there yet.
  if (userInfo().uid === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  writeFileSync(
    `${folder}/sshd_config`,
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${folder}/host\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n${further}`,
  );
  const sshd = new Part('sshd', findProgram('sshd') ?? 'sshd', ['-D', '-e', '-f', `${folder}/sshd_config`], {
    cwd: installation.directory,
    log: `${folder}/sshd.log`,
  });
  installation.atEnd(() => sshd.stop());
  await sshd.said(/Server listening/);
  return sshd;
}
