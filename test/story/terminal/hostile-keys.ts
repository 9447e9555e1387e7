// Public keys that nobody is to get a certificate for: malformed, weak, of another kind, or read in two ways.
import { generateKeyPairSync } from 'node:crypto';
import { sshInteger, sshString, sshUint32 } from '#gateway/change/ssh-reader';

/** Name and line of each. `good`: a line of an Ed25519 key; `certificate`: one of a certificate. */
export function hostileKeys(good: string, certificate: string): readonly (readonly [string, string])[] {
  const type = 'ssh-ed25519';
  const blob = Buffer.from(good.split(' ')[1] ?? '', 'base64');
  const point = blob.subarray(-32);
  const line = (bytes: Buffer, kind = type): string => `${kind} ${bytes.toString('base64')}`;
  const of = (kind: string, ...fields: readonly Buffer[]): string =>
    line(Buffer.concat([sshString(kind), ...fields]), kind);
  const length = (value: number): Buffer => Buffer.concat([sshString(type), sshUint32(value), point]);
  const offCurve = Buffer.concat([Buffer.from([4]), Buffer.alloc(63, 7), Buffer.from([1])]);
  return [
    ['nothing', ''],
    ['the kind alone', type],
    ['no blob', `${type} `],
    ...[0, 1, 31, 33, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map(
      (value) => [`a length of ${value}`, line(length(value))] as const,
    ),
    ...[0, 3, 4, 8, 15, 19, 50].map((at) => [`cut after ${at}`, line(blob.subarray(0, at))] as const),
    ['trailing bytes', line(Buffer.concat([blob, Buffer.alloc(1)]))],
    ['a second key behind it', line(Buffer.concat([blob, blob]))],
    ['a kind of length 0', line(Buffer.concat([sshString(''), sshString(point)]))],
    ['a kind of length 2^32-1', line(Buffer.concat([sshUint32(2 ** 32 - 1), blob]))],
    ['the wrong kind before it', `ecdsa-sha2-nistp256 ${blob.toString('base64')}`],
    ['two lines', `${good}\n${good}`],
    ['a newline at its end', `${good}\n`],
    ['a carriage return', `${good}\r`],
    ['NUL in the comment', `${type} ${blob.toString('base64')} a\0b`],
    ['NUL in the blob', `${type} ${blob.toString('base64')}\0`],
    ['options before it', `cert-authority,principals="root" ${good}`],
    ['not base64', `${type} ${blob.toString('base64').replace('A', '!')}`],
    ['base64 with bits to spare', `${type} ${blob.toString('base64').slice(0, -1)}B=`],
    ['url-safe base64', `${type} ${Buffer.alloc(51, 0xff).toString('base64url')}`],
    ['a comment beyond ASCII', `${type} ${blob.toString('base64')} é`],
    ['very long', `${type} ${blob.toString('base64')} ${'a'.repeat(2000)}`],
    ['longer than any', `${type} ${'A'.repeat(100_000)}`],
    ['a certificate', certificate],
    ['a certificate called a key', `${type} ${certificate.split(' ')[1]}`],
    ...rsaLines(of),
    ['DSA', of('ssh-dss', ...[1024, 160, 1024, 1024].map((bits) => integerOf(bits)))],
    ['a kind nobody knows', of('ssh-rot13', sshString(point))],
    ['Ed448', of('ssh-ed448', sshString(Buffer.alloc(57, 1)))],
    ['P-192', of('ecdsa-sha2-nistp192', sshString('nistp192'), sshString(Buffer.alloc(49, 4)))],
    ['a point that is on no curve', of('ecdsa-sha2-nistp256', sshString('nistp256'), sshString(offCurve))],
    ['the point at infinity', of('ecdsa-sha2-nistp256', sshString('nistp256'), sshString(Buffer.alloc(1)))],
    ['another curve than it says', of('ecdsa-sha2-nistp256', sshString('nistp384'), sshString(offCurve))],
    ['a compressed point', of('ecdsa-sha2-nistp256', sshString('nistp256'), sshString(Buffer.alloc(33, 2)))],
    ['Ed25519: the neutral point', of(type, sshString(Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])))],
    ['Ed25519: all zeros', of(type, sshString(Buffer.alloc(32)))],
    ['Ed25519: all ones', of(type, sshString(Buffer.alloc(32, 0xff)))],
    ['a security key without its application', of('sk-ssh-ed25519@openssh.com', sshString(point))],
  ];
}

function rsaLines(of: (kind: string, ...fields: readonly Buffer[]) => string): (readonly [string, string])[] {
  return [1024, 2048].map((modulusLength) => {
    const { n = '', e = '' } = generateKeyPairSync('rsa', { modulusLength }).publicKey.export({
      format: 'jwk',
    });
    const fields = [e, n].map((digits) => sshInteger(Buffer.from(digits, 'base64url')));
    return [`RSA with ${modulusLength} bits`, of('ssh-rsa', ...fields)] as const;
  });
}

function integerOf(bits: number): Buffer {
  return sshInteger(Buffer.alloc(bits / 8, 0x5a));
}
