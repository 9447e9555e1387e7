// OpenSSH's key revocation list (PROTOCOL.krl): which certificates of which authorities are good no more, by their serial
// numbers. sshd reads it as RevokedKeys. The list is not signed: OpenSSH does not check that, whoever fetches it uses TLS.
import { SshFormatError, SshReader, sshString, sshUint32, sshUint64 } from '#gateway/change/ssh-reader';

const MAGIC = 0x5353484b524c0a00n;
const FORMAT = 1;
const CERTIFICATES = 1;
const SERIALS = 0x20;

export interface RevokedSerial {
  /** Public key of the authority, base64. */
  readonly authority: string;
  readonly serial: bigint;
}

/** `at`: epoch milliseconds; its number grows with time. */
export function writeKrl(revoked: readonly RevokedSerial[], at: number): Buffer {
  const sections = [...Map.groupBy(revoked, ({ authority }) => authority)].map(([authority, ones]) => {
    const serials = [...new Set(ones.map(({ serial }) => serial))].sort((a, b) => (a < b ? -1 : 1));
    const list = sshString(Buffer.concat(serials.map(sshUint64)));
    const section = [
      sshString(Buffer.from(authority, 'base64')),
      sshString(''),
      Buffer.from([SERIALS]),
      list,
    ];
    return Buffer.concat([Buffer.from([CERTIFICATES]), sshString(Buffer.concat(section))]);
  });
  return Buffer.concat([
    ...[sshUint64(MAGIC), sshUint32(FORMAT), sshUint64(BigInt(at))],
    ...[sshUint64(BigInt(Math.floor(at / 1000))), sshUint64(0n), sshString(''), sshString('sallyport')],
    ...sections,
  ]);
}

/** Reads a list that was written here. Throws SshFormatError. */
export function readKrl(blob: Buffer): readonly RevokedSerial[] {
  const reader = new SshReader(blob);
  if (reader.uint64() !== MAGIC || reader.uint32() !== FORMAT) throw new SshFormatError('this is no KRL');
  reader.take(24);
  reader.string();
  reader.string();
  const revoked: RevokedSerial[] = [];
  while (!reader.done) {
    const kind = reader.take(1)[0];
    if (kind !== CERTIFICATES) throw new SshFormatError(`sections of kind ${kind} are not read here`);
    const section = new SshReader(reader.string());
    const authority = section.string().toString('base64');
    section.string();
    if (section.take(1)[0] !== SERIALS) throw new SshFormatError('only lists of serials are read here');
    const serials = new SshReader(section.string());
    while (!serials.done) revoked.push({ authority, serial: serials.uint64() });
    section.end();
  }
  return revoked;
}
