// How long the event loop was held up: what one input may cost everybody else.

/** Processor milliseconds of the longest turn of the event loop until asked. */
export function loopTimes(): () => number {
  let longest = 0;
  let on = true;
  let before = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    before = process.threadCpuUsage();
    if (on) setImmediate(look);
  };
  setImmediate(look);
  return () => {
    on = false;
    return longest;
  };
}
