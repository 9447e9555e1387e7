// Runs one `sallyport` command and ends with its exit code; it must never show a stack or a secret unasked.
import process from 'node:process';
import { describeSystemError } from '#siem/system-error';
import { describeCrash } from './crash.ts';
import { dispatch } from './dispatch.ts';
import { EXIT } from './exit.ts';

function crash(error: unknown): never {
  process.stderr.write(`${describeCrash(error, process.env['SALLYPORT_DEBUG'] === '1')}\n`);
  process.exit(EXIT.internal);
}

/** A command that the file system or the network did not let do its work is not a fault of ours. */
function failed(error: unknown): never {
  const refused = describeSystemError(error);
  if (refused === undefined) crash(error);
  process.stderr.write(`sallyport: ${refused}\n`);
  process.exit(EXIT.no);
}

// An unknown state must not go on answering requests: whatever is not caught ends the process.
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
// `sallyport help | head -1` closes our output early; that is the reader's right, not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  crash(error);
});

// Node ends with 0 when nothing is left that could happen, also in the middle of a command: that is not done.
process.once('beforeExit', () => {
  process.stderr.write('sallyport: stopped before it was done: nothing is left to wait for\n');
  process.exit(EXIT.internal);
});

dispatch(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
}).then((code) => process.exit(code), failed);
