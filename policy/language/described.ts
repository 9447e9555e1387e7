// Checks a request that was described outside of any document, against the names of one.
import { formatPath, nearest, type Path, type Position, type Problem } from '../document.ts';
import { checkRequest } from './check-tests.ts';
import type { PolicyDocument, RequestDocument } from './document.ts';
import { namesOf } from './names.ts';

/** Everything wrong with `described`; the time it happens may be said elsewhere. */
export function checkDescribed(
  described: RequestDocument,
  document: PolicyDocument,
  locate: (path: Path) => Position,
  file: string,
): Problem[] {
  const problems: Problem[] = [];
  // A time that is not given here is given elsewhere, or is now.
  checkRequest(
    described,
    [],
    { document, names: namesOf(document, document.apps), timed: new Map() },
    (path, message, { meant } = {}) => {
      const suggestion = meant === undefined ? undefined : nearest(meant.word, meant.known);
      const hint = suggestion === undefined ? {} : { suggestion };
      problems.push({ file, ...locate(path), path: formatPath(path), message, ...hint });
    },
  );
  return problems;
}
