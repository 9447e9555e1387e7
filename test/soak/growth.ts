// Whether a series of measurements grows: the line through it by least squares, and how sure that line is.

export interface Sample {
  /** Hours since the run began. */
  readonly at: number;
  readonly value: number;
}

export interface Growth {
  /** In an hour, of the mean: 0.01 is one per cent. */
  readonly perHour: number;
  /** Its standard error, in the same unit. */
  readonly error: number;
}

/** Throws RangeError for fewer than three samples, of which no error can be told, or for samples at one moment. */
export function growthOf(samples: readonly Sample[]): Growth {
  const count = samples.length;
  if (count < 3) throw new RangeError(`${count} samples say nothing of growth: at least 3`);
  const mean = (pick: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / count;
  const [at, value] = [mean((sample) => sample.at), mean((sample) => sample.value)];
  const spread = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
  if (spread === 0) throw new RangeError('samples of one moment say nothing of growth');
  const slope = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample.value - value), 0) / spread;
  const left = samples.reduce((sum, sample) => {
    return sum + (sample.value - value - slope * (sample.at - at)) ** 2;
  }, 0);
  return { perHour: slope / value, error: Math.sqrt(left / (count - 2) / spread) / value };
}
