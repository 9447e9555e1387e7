// Reads a change from a file, and says of any failure around changes what a person can do about it.
import { readFileSync } from 'node:fs';
import { SignersError } from '#gateway/change/allowed-signers';
import { type Change, readChange } from '#gateway/change/bundle';
import { ChangeRefusal } from '#gateway/change/reasons';
import { describeError } from '#siem/system-error';
import { AdminError } from '../../admin-client.ts';
import { EXIT } from '../../exit.ts';
import { SigningError } from '../../ssh-keygen.ts';
import { GitError } from './git.ts';
import { ProposalError } from './proposal.ts';

/** The change in `file`. Throws ChangeRefusal, also for a file that is not there. */
export function readChangeFile(file: string): Change {
  return readChange(readText(file));
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = describeError(error, file);
    throw new ChangeRefusal('malformed', why);
  }
}

/** Does `step`; what is no fault of ours becomes one line on stderr. */
export async function told(command: string, step: () => Promise<number>): Promise<number> {
  try {
    return await step();
  } catch (error) {
    const known = [ChangeRefusal, SignersError, GitError, ProposalError, SigningError, AdminError];
    if (!known.some((kind) => error instanceof kind)) throw error;
    process.stderr.write(`sallyport change ${command}: ${(error as Error).message}\n`);
    return EXIT.no;
  }
}

/** Says how the command is called; the exit code. */
export function misused(command: string, how: string): number {
  process.stderr.write(
    `sallyport change ${command}: use \`sallyport change ${command} ${how}\`.\nTry: sallyport change ${command} --help\n`,
  );
  return EXIT.usage;
}
