// Reads a command's options, and turns a mistake in them into one line and the exit code for wrong usage.
import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O; args: string[]; allowPositionals: true }>
>;

/** The parsed command line, or undefined after the mistake was printed. */
export function readOptions<O extends Options>(
  command: string,
  argv: readonly string[],
  options: O,
): Values<O> | undefined {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    // Node goes on about how to pass a word that begins with a dash: nobody meant that.
    const [message] = (error as Error).message.split('. To specify a positional');
    process.stderr.write(`sallyport ${command}: ${message}\nTry: sallyport ${command} --help\n`);
    return undefined;
  }
}
