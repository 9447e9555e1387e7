// How long the event loop was held up: what one input may cost everybody else.

/** Processor milliseconds of the longest turn of the event loop until asked, and at most one more. */
export function loopTimes(): () => number {
  let longest = 0;
  let before = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    before = process.threadCpuUsage();
  };
  // A look at every turn would itself be what keeps the loop from waiting.
  const timer = setInterval(look, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}
