// What a campaign ran on, for the line beside its figures: ratios travel between machines better than rates do.
import { availableParallelism, cpus, release, type } from 'node:os';

export const THIS_MACHINE: string = `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${type()} ${release()}`;
