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
function failed(error: unknown, place?: string): never {
  const refused = describeSystemError(error, place);
  if (refused === undefined) crash(error);
  process.stderr.write(`sallyport: ${refused}\n`);
  process.exit(EXIT.no);
}

// An unknown state must not go on answering requests: whatever is not caught ends the process.
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
// `sallyport help | head -1` closes our output early; that is the reader's right, not a fault.
function unsaid(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  failed(error, 'the output');
}
process.stdout.on('error', unsaid);
// What serves must not end because nobody can be told of it, as on a full disk; of a command the exit code still tells.
process.stderr.on('error', () => undefined);

// Node ends with 0 when nothing is left that could happen, also in the middle of a command: that is not done.
process.once('beforeExit', () => {
  process.stderr.write('sallyport: stopped before it was done: nothing is left to wait for\n');
  process.exit(EXIT.internal);
});

dispatch(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
}).then(
  // What was written may not have arrived yet, on a full disk say: then the command did not succeed.
  (code) => {
    // Nor where its reader is slow, who may never come: then a signal ends us, whatever the command did with those.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(signal);
    if (process.stdout.writableEnded) process.exit(code);
    process.stdout.write('', (error) => (error ? unsaid(error) : process.exit(code)));
  },
  (error: unknown) => failed(error),
);
