// Signed notes (C2SP signed-note) with Ed25519 keys. A note's text counts for nothing until a known key vouches for it.
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';

const ED25519 = 0x01;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MAX_NOTE_BYTES = 64 * 1024;
/** What comes before the 32 bytes in the DER forms of Ed25519 keys (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
/** No space of any kind and no plus sign, as the specification asks; and nothing that a terminal obeys. */
const NAME = /^[^\s+\p{C}]{1,255}$/u;

/** A key or a note is not what the specification says. `message` says where. */
export class NoteError extends Error {
  readonly code = 'note';
}

/** A key that checks: what others are given. */
export interface NoteVerifier {
  readonly name: string;
  /** 32 bits, hex. */
  readonly id: string;
  readonly key: KeyObject;
  /** `<name>+<id>+<base64>`: the form in which keys are handed around. */
  readonly text: string;
}

export interface NoteSigner {
  readonly verifier: NoteVerifier;
  readonly key: KeyObject;
}

function keyId(name: string, typed: Buffer): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'hex').slice(0, 8);
}

/** Base64 in its one canonical form, or undefined: a second spelling would be a change nobody notices. */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Reads `<name>+<id>+<base64>`. Throws NoteError. */
export function parseVerifier(text: string): NoteVerifier {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  const [, name = '', id = '', encoded = ''] = match ?? [];
  const typed = strictBase64(encoded);
  if (!NAME.test(name) || typed?.length !== KEY_BYTES + 1 || typed[0] !== ED25519) {
    throw new NoteError('this is no Ed25519 verifier key: expected <name>+<8 hex digits>+<base64>');
  }
  if (keyId(name, typed) !== id) throw new NoteError('the verifier key is damaged: its id does not fit it');
  const key = createPublicKey({
    key: Buffer.concat([SPKI, typed.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
  return { name, id, key, text };
}

/** A signer for `name` from a seed of 32 random bytes. */
export function signerOf(name: string, seed: Buffer): NoteSigner {
  if (!NAME.test(name)) throw new NoteError(`${JSON.stringify(name)} cannot name a key`);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const typed = Buffer.concat([Buffer.from([ED25519]), spki.subarray(SPKI.length)]);
  return { key, verifier: parseVerifier(`${name}+${keyId(name, typed)}+${typed.toString('base64')}`) };
}

/** `PRIVATE+KEY+<name>+<id>+<base64>`, the form Go's note package has given signer keys. */
export function formatSigner({ verifier }: NoteSigner, seed: Buffer): string {
  const typed = Buffer.concat([Buffer.from([ED25519]), seed]);
  return `PRIVATE+KEY+${verifier.name}+${verifier.id}+${typed.toString('base64')}`;
}

/** Throws NoteError, which never holds any of the key. */
export function parseSigner(text: string): NoteSigner {
  const match = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  const [, name = '', id = '', encoded = ''] = match ?? [];
  const typed = strictBase64(encoded);
  if (typed?.length !== KEY_BYTES + 1 || typed[0] !== ED25519) throw new NoteError('this is no signer key');
  const signer = signerOf(name, typed.subarray(1));
  if (signer.verifier.id !== id) throw new NoteError('the signer key is damaged: its id does not fit it');
  return signer;
}

/** `text` ends in a newline. */
export function signNote(text: string, { verifier, key }: NoteSigner): string {
  const signature = Buffer.concat([Buffer.from(verifier.id, 'hex'), sign(null, Buffer.from(text), key)]);
  return `${text}\n— ${verifier.name} ${signature.toString('base64')}\n`;
}

/** The text of a note that `verifier` signed. Signatures of others are passed over. Throws NoteError. */
export function openNote(note: string, verifier: NoteVerifier): string {
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) throw new NoteError('the note is too long');
  if (!note.isWellFormed() || /[^\P{Cc}\n]|\ufffd/u.test(note)) {
    throw new NoteError('the note holds what no note may hold');
  }
  const split = note.lastIndexOf('\n\n');
  if (split === -1 || !note.endsWith('\n')) throw new NoteError('the note has no signatures');
  const text = note.slice(0, split + 1);
  let vouched = false;
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const match = /^— (\S+) (\S+)$/.exec(line);
    const bytes = strictBase64(match?.[2] ?? '');
    if (match === null || bytes === undefined || bytes.length < 5) {
      throw new NoteError('a signature line is malformed');
    }
    if (match[1] !== verifier.name || bytes.toString('hex', 0, 4) !== verifier.id) continue;
    const signature = bytes.subarray(4);
    if (signature.length !== SIGNATURE_BYTES || !verify(null, Buffer.from(text), verifier.key, signature)) {
      throw new NoteError(`the signature of ${verifier.name} does not verify`);
    }
    vouched = true;
  }
  if (!vouched) throw new NoteError(`${verifier.name}+${verifier.id} has not signed it`);
  return text;
}
