// Files that say where an authority's key is: made where it stays, opened only while nobody else can read them.
import { readPrivate, writeWhole } from '#gateway/state/private-files';
import { makeFileKey, openFileKey } from './file-key.ts';
import { makePkcs11Key, openPkcs11Key } from './pkcs11-key.ts';
import {
  KEY_PLACES,
  type KeyAccess,
  type KeyPlace,
  type KeyRecord,
  type Signer,
  SignerError,
} from './signer.ts';
import { makeTpmKey, openTpmKey } from './tpm-key.ts';

/** Makes a key at `place`, with `path` as its file. Throws SignerError. */
export async function makeKey(path: string, place: KeyPlace, access: KeyAccess): Promise<Signer> {
  const make = { file: makeFileKey, pkcs11: makePkcs11Key, tpm: makeTpmKey }[place];
  writeKey(path, await make(access));
  return openKey(path, access);
}

export function writeKey(path: string, record: KeyRecord): void {
  writeWhole(path, `${JSON.stringify(record)}\n`);
}

/** Throws SignerError, or LooseModeError when others could read the file. */
export function openKey(path: string, access: KeyAccess): Signer {
  const record = readKey(path);
  switch (record.kind) {
    case 'file':
      return openFileKey(record, access, path);
    case 'pkcs11':
      return openPkcs11Key(record, access, path);
    case 'tpm':
      return openTpmKey(record, access);
  }
}

/** Throws SignerError, or LooseModeError. */
export function readKey(path: string): KeyRecord {
  let record: Partial<KeyRecord> | null;
  try {
    record = JSON.parse(readPrivate(path));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    record = null;
  }
  const { kind, public: spki } = record ?? {};
  const known = KEY_PLACES.find((place) => place === kind);
  if (known === undefined || typeof spki !== 'string') {
    throw new SignerError('key-unreadable', `${path} is no key file`);
  }
  return { ...record, kind: known, public: spki };
}
