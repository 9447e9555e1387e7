// Finds what a receiver will not take in a batch that it refused as a whole: halves of it are offered, and halves of those.

/** `offer` says what is refused of some records; `alone`, what is to be said of one that is refused by itself. */
export async function byHalves<Line, Refused>(
  lines: readonly Line[],
  alone: (line: Line) => Refused,
  offer: (lines: readonly Line[]) => Promise<readonly Refused[]>,
): Promise<readonly Refused[]> {
  const [only] = lines;
  if (only !== undefined && lines.length === 1) return [alone(only)];
  const half = lines.length >> 1;
  return [...(await offer(lines.slice(0, half))), ...(await offer(lines.slice(half)))];
}
