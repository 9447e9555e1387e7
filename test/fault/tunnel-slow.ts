// People who stop reading while a gigabyte waits for each of them, with real processes: neither gateway nor connector may
// hold more than a mebibyte of it beyond what the kernel does, and others must not notice.
import { slow } from '#test/bench/tunnel/slow';
import type { Finding } from './report.ts';

const ALLOWED_KB = 1024;
const ALLOWED_RATIO = 1.2;
/** What two rounds differ by on any machine, in milliseconds. */
const NOISE_MS = 1;

export async function slowReaders(): Promise<Finding> {
  const figures = await slow(() => undefined);
  const figure = (name: string): number => figures[name] ?? Number.NaN;
  const held = Math.max(figure('slow_reader_gateway_kb'), figure('slow_reader_connector_kb'));
  const [beside, alone] = [figure('slow_reader_others_p99_ms'), figure('others_alone_p99_ms')];
  return {
    required: 'at most 1 MiB buffered per stream in each process, p99 of others within 20 %',
    measured: `${Math.round(held)} KiB per stream at most, p99 ${beside.toFixed(2)} ms beside and ${alone.toFixed(2)} ms without them`,
    held: held <= ALLOWED_KB && beside <= Math.max(ALLOWED_RATIO * alone, alone + NOISE_MS),
    figures,
  };
}
