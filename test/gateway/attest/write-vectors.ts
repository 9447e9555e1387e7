// Records the vectors anew with swtpm: node test/gateway/attest/write-vectors.ts
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TpmMaker } from '#test/connectors/device/swtpm';
import { EK_NAMES, live, recordingFile } from './recording.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-vectors-'));
const maker = new TpmMaker(join(directory, 'ca'));
try {
  for (const ek of EK_NAMES) {
    const tpm = await maker.make(join(directory, `${ek}-1`));
    const other = await maker.make(join(directory, `${ek}-2`));
    try {
      const recording = await live(ek, maker, tpm, other);
      mkdirSync(dirname(recordingFile(ek)), { recursive: true });
      writeFileSync(recordingFile(ek), `${JSON.stringify(recording, undefined, 2)}\n`);
      console.log(`${recordingFile(ek)}: ${recording.exchanges.length} exchanges`);
    } finally {
      await tpm.off();
      await other.off();
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
