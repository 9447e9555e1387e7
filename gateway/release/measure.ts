// Measures this installation's program files against the signed manifest of their release, and says what differs.
// It tells of a mistake or of somebody else's hand on the files; a program that was replaced whole would say nothing.
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Signer } from '#gateway/change/allowed-signers';
import { signersOf } from '#gateway/change/counted';
import { ChangeRefusal } from '#gateway/change/reasons';
import type { CodeMeasured } from '#siem/change-event';
import {
  hashOf,
  MANIFEST,
  type Manifest,
  RELEASE_NAMESPACE,
  readManifest,
  SIGNATURES,
  shippedFiles,
} from './manifest.ts';

export interface MeasureOptions {
  readonly root: string;
  readonly built: boolean;
  /** Left out: where the package has it. */
  readonly manifest?: string | undefined;
  readonly signers: readonly Signer[];
  readonly now: number;
}

export type Measured = Omit<CodeMeasured, 'kind'>;

/** One good signature counts: releases are signed by whoever makes them. */
export function measure({ root, built, manifest: named, signers, now }: MeasureOptions): Measured {
  const file = named ?? join(root, MANIFEST);
  const nothing = { signers: [], changed: [], missing: [], added: [] };
  if (!existsSync(file)) return { verdict: 'unproven', code: 'manifest-missing', ...nothing };
  const text = readFileSync(file);
  const manifest = readManifest(text.toString('utf8'));
  if (manifest === undefined) return { verdict: 'unproven', code: 'malformed', ...nothing };
  const about = { version: manifest.release, manifest: hash('sha256', text, 'hex') };
  try {
    const signed = { message: text, signatures: signaturesBeside(file), namespace: RELEASE_NAMESPACE };
    const names = signersOf(signed, { signers, threshold: 1 }, now);
    const differing = compare(manifest, root, built);
    const count = differing.changed.length + differing.missing.length + differing.added.length;
    return { verdict: count === 0 ? 'as-released' : 'drifted', ...about, signers: names, ...differing };
  } catch (error) {
    if (!(error instanceof ChangeRefusal)) throw error;
    return { verdict: 'unproven', code: error.code, ...about, ...nothing };
  }
}

/** Armoured signatures, one after the other. */
function signaturesBeside(file: string): readonly string[] {
  const path = `${file}${SIGNATURES}`;
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text.match(/-----BEGIN SSH SIGNATURE-----[\s\S]*?-----END SSH SIGNATURE-----/g) ?? [];
}

function compare(
  { files }: Manifest,
  root: string,
  built: boolean,
): Pick<Measured, 'changed' | 'missing' | 'added'> {
  const there = shippedFiles(root, built);
  const present = new Set(there);
  const changed = there.filter((path) => files[path] !== undefined && hashOf(root, path) !== files[path]);
  const missing = Object.keys(files).filter((path) => !present.has(path));
  const added = there.filter((path) => files[path] === undefined);
  return { changed, missing, added };
}
