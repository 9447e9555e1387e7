// Keys of a TPM in files, as other programs read them too: `TSS2 PRIVATE KEY`, a loadable key as its parent wrapped it
// (draft-bottomley-tpm2-keys). Of use to that TPM alone.
import { context, element, identifier, integer, octets, pem, sequence, yes } from '../../wire/der-writer.ts';
import { TpmError } from './error.ts';
import { Reader, sized } from './marshal.ts';
import type { TpmKey } from './tpm.ts';

const LABEL = 'TSS2 PRIVATE KEY';
const HEADER = `-----BEGIN ${LABEL}-----`;
/** The parent is the owner's storage key, made from its template. */
const OWNER = 0x40000001;
/** A loadable key with an empty password. */
const KIND = Buffer.concat([identifier('2.23.133.10.1.3'), context(0, yes, true)]);
const LIMIT = 4096;

/** `parent`: handle of the storage key it is below, or any transient one for the key that is made from the template. */
export function keyFile(key: TpmKey, parent: number): string {
  const persistent = parent >>> 24 === 0x81;
  const fields = [KIND, integer(persistent ? parent : OWNER)];
  const der = sequence(...fields, octets(sized(key.public)), octets(sized(key.private)));
  return pem(LABEL, der);
}

export function isKeyFile(text: string): boolean {
  return text.includes(HEADER);
}

/** What `keyFile` wrote. @throws {TpmError} `unsuited` for anything else */
export function readKeyFile(text: string): TpmKey {
  const body = text.slice(text.indexOf(HEADER) + HEADER.length, text.indexOf(`-----END ${LABEL}-----`));
  const der = Buffer.from(body, 'base64');
  try {
    const [whole, ...trailing] = elements(der);
    const [oid, flag, parent, area, wrapped, ...more] = elements(whole?.content ?? Buffer.alloc(0));
    const kind = Buffer.concat([oid?.raw ?? Buffer.alloc(0), flag?.raw ?? Buffer.alloc(0)]);
    const known = kind.equals(KIND) && parent?.tag === 0x02 && area?.tag === 0x04 && wrapped?.tag === 0x04;
    if (!known || trailing.length > 0 || more.length > 0) throw new RangeError('other fields');
    return { public: new Reader(area.content).sized(), private: new Reader(wrapped.content).sized() };
  } catch (cause) {
    const message = 'the key file is none of a TPM as this program writes them: enrol anew';
    throw new TpmError('unsuited', message, { cause });
  }
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

/** In their one right form. @throws {RangeError} */
function elements(der: Buffer): Element[] {
  if (der.length > LIMIT) throw new RangeError('too long');
  const found: Element[] = [];
  for (let rest = der; rest.length > 0; ) {
    const [tag = 0, first = 0] = rest;
    const more = first < 0x80 ? 0 : first & 0x7f;
    const length = more === 0 ? first : rest.readUIntBE(2, more);
    const content = rest.subarray(2 + more, 2 + more + length);
    const raw = rest.subarray(0, 2 + more + length);
    if (!raw.equals(element(tag, content))) throw new RangeError('not DER');
    found.push({ tag, content, raw });
    rest = rest.subarray(raw.length);
  }
  return found;
}
