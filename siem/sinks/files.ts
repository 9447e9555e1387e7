// JSON lines in a file with rotation, for Filebeat, Vector or Fluent Bit. A line is whole or not there.
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { findTail } from '../outbox/segment.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, type Verdict } from './sink.ts';

export interface FilesOptions {
  readonly name: string;
  readonly path: string;
  readonly rotateBytes: number;
  /** How many older files stay: `path.1` is the youngest. */
  readonly keep: number;
}

export class FilesSink implements Sink {
  readonly name: string;
  readonly type = 'files';
  readonly #options: FilesOptions;
  #file: FileHandle | undefined;
  #size = 0;

  constructor(options: FilesOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async deliver(batch: readonly Shipment[]): Promise<readonly Verdict[]> {
    const bytes = Buffer.concat(batch.flatMap(({ line }) => [line, Buffer.from('\n')]));
    try {
      const file = await this.#fileFor(bytes.length);
      await this.#write(file, bytes);
      await file.datasync();
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
      throw new SinkError('unavailable', `${this.#options.path} cannot be written: ${code}`, { cause });
    }
    this.#size += bytes.length;
    return batch.map(() => DELIVERED);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(file: FileHandle, bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
      }
    } catch (cause) {
      await file.truncate(this.#size).catch(() => undefined);
      throw cause;
    }
  }

  async #fileFor(coming: number): Promise<FileHandle> {
    if (this.#file !== undefined && !(await this.#isAsLeft(this.#file))) await this.close();
    if (this.#file !== undefined && this.#size > 0 && this.#size + coming > this.#options.rotateBytes) {
      await this.close();
      await this.#rotate();
    }
    if (this.#file !== undefined) return this.#file;
    this.#file = await open(this.#options.path, 'a+', 0o640);
    this.#size = findTail(this.#file.fd).end;
    await this.#file.truncate(this.#size);
    return this.#file;
  }

  /** A tool for logs may have moved the file, or cut it; a torn end may be left of a write that failed. */
  async #isAsLeft(file: FileHandle): Promise<boolean> {
    const { ino, dev, size } = await file.stat();
    const there = await stat(this.#options.path).catch(() => undefined);
    return there?.ino === ino && there.dev === dev && size === this.#size;
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    const older = (age: number): string => (age === 0 ? path : `${path}.${age}`);
    await rm(older(keep), { force: true });
    for (let age = keep - 1; age >= 0; age--) {
      await rename(older(age), older(age + 1)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}
