// `sallyport siem detections`: writes the detections that ship with this version where somebody can load them from.
import { DetectionsError, type Format, writeDetections } from '#siem/detections/write';
import { describeError } from '#siem/system-error';
import { EXIT } from './exit.ts';

export interface DetectionsOptions {
  readonly out?: string | undefined;
  readonly format?: string | undefined;
  readonly 'privileged-app'?: readonly string[] | undefined;
}

/** Answers the exit code, or what is wrong with the options. */
export function runDetections(options: DetectionsOptions): number | string {
  const { out, format, 'privileged-app': privilegedApps = [] } = options;
  if (out === undefined || out === '') return 'where shall they be written? Give --out DIR.';
  if (format !== undefined && format !== 'sigma' && format !== 'elastic') {
    return `--format is sigma or elastic, not "${format}".`;
  }
  // Such a name would end a query or a list early.
  const odd = privilegedApps.find((app) => !/^[\w.-]+$/.test(app));
  if (odd !== undefined) return `--privileged-app is the name of an app in the policy, not "${odd}".`;
  const formats: readonly Format[] = format === undefined ? ['sigma', 'elastic'] : [format];
  try {
    for (const file of writeDetections(out, { formats, privilegedApps })) process.stdout.write(`${file}\n`);
    return EXIT.ok;
  } catch (error) {
    const known = error instanceof DetectionsError || (error as NodeJS.ErrnoException).syscall !== undefined;
    if (!known) throw error;
    process.stderr.write(`sallyport siem: ${describeError(error)}\n`);
    return EXIT.no;
  }
}
