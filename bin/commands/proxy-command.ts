// `sallyport proxy-command`: standard input and output as a connection to a TCP app, for OpenSSH's ProxyCommand.
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Duplex } from 'node:stream';
import { connectTo } from '#connectors/device/connect';
import { EXIT } from '../exit.ts';
import { explainRefusal, signedIn } from '../signed-in.ts';
import { readOptions } from '../usage.ts';

/** Milliseconds in which an app that was told of the end of ssh ends, too. */
const LAST_WORDS = 10_000;

export const help: string = `Usage: sallyport proxy-command APP

Connects standard input and output to the TCP app APP. OpenSSH calls it; sallyport ssh-config writes how.

Exit codes: 0 the connection ended, 1 not signed in, denied or unreachable, 2 wrong usage.

Example: ssh -o ProxyCommand='sallyport proxy-command shell.prod' me@shell.prod
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('proxy-command', argv, {});
  if (parsed === undefined) return EXIT.usage;
  const [app, ...more] = parsed.positionals;
  if (app === undefined || more.length > 0) {
    process.stderr.write('sallyport proxy-command: name one app: sallyport proxy-command APP.\n');
    return EXIT.usage;
  }
  const person = signedIn('proxy-command');
  if (person === undefined) return EXIT.no;
  try {
    const pipe = await connectTo(app, person.credentials, person.agent, person.device);
    process.stdin.pipe(pipe);
    pipe.pipe(process.stdout);
    pipe.once('end', closeOutput);
    process.once('SIGHUP', () => endInOrder(pipe));
    let broken: Error | undefined;
    pipe.on('error', (error) => {
      broken = error;
    });
    await new Promise<void>((resolve) => pipe.once('close', () => resolve()));
    if (broken === undefined) return EXIT.ok;
    process.stderr.write(`sallyport proxy-command: ${broken.message}\n`);
    return EXIT.no;
  } catch (error) {
    return explainRefusal('proxy-command', error);
  }
}

/**
 * Its word to us when ssh is done: it has said all it had to say and hears nothing more. That is an end, which the app and
 * the record are to know from a break. Our input ends with ssh.
 */
function endInOrder(pipe: Duplex): void {
  pipe.unpipe(process.stdout).resume();
  setTimeout(() => pipe.destroy(), LAST_WORDS).unref();
}

/** An app that ends is heard to end, also while we still speak: ssh waits for that. The runtime never closes its output. */
function closeOutput(): void {
  process.stdout.write('', () => {
    closeSync(process.stdout.fd);
    // The lowest number that is free, so that what is opened next does not become our output.
    openSync(devNull, 'w');
  });
}
