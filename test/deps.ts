// Installs the programs that the suites run as real parts; where it cannot, it says what will be skipped.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parts } from './programs.ts';
import { findProgram } from './requires.ts';

const missing = parts.filter(({ program }) => findProgram(program) === undefined);

function run(command: string, ...args: readonly string[]): boolean {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0)
    console.error(`test:deps: ${command} ${args.join(' ')} failed: ${error?.message ?? status}`);
  return status === 0;
}

/** Daemons that packages bring must not start here: suites start their own, on their own ports. */
function install(packages: readonly string[]): boolean {
  const apt = ['-y', '-q', '--no-install-recommends'];
  return (
    run('apt-get', 'update', '-q') && run('env', 'RUNLEVEL=1', 'apt-get', 'install', ...apt, ...packages)
  );
}

if (missing.length === 0) {
  console.log(`test:deps: all ${parts.length} programs are here`);
} else if (findProgram('apt-get') !== undefined && process.getuid?.() === 0) {
  if (!install(missing.map((part) => part.package))) process.exit(1);
  const still = missing.filter(({ program }) => findProgram(program) === undefined);
  for (const part of still)
    console.error(`test:deps: ${part.package} is installed but brings no ${part.program}`);
  process.exit(still.length === 0 ? 0 : 1);
} else {
  console.log('test:deps: needs root on a Debian-like system to install; these will be skipped:');
  for (const part of missing) console.log(`  ${part.program} (${part.package}) - ${part.suites}`);
}
