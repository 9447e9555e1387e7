// The two answers of the SPIFFE Workload API, read from their protocol buffers by hand: a few fields do not need a
// compiler and a gRPC library. Whatever is not well-formed, or runs past its end, is an error.

/** `X509SVID` of workload.proto. */
export interface SvidMessage {
  readonly spiffeId: string;
  /** DER of the chain, the leaf first. */
  readonly chain: readonly Buffer[];
  /** PKCS#8 DER. */
  readonly key: Buffer;
  /** DER of the authorities of its trust domain. */
  readonly bundle: readonly Buffer[];
}

/** `X509SVIDResponse`. */
export interface SvidsMessage {
  readonly svids: readonly SvidMessage[];
  /** By trust domain, as the agent writes it. */
  readonly federated: ReadonlyMap<string, readonly Buffer[]>;
}

/** The bytes are no such message. */
export class WorkloadMessageError extends Error {
  readonly code = 'workload-message';
}

/** A length-delimited field; others are passed over. */
interface Field {
  readonly number: number;
  readonly bytes: Buffer;
}

/** @throws {WorkloadMessageError} */
export function readSvids(message: Buffer): SvidsMessage {
  const svids: SvidMessage[] = [];
  const federated = new Map<string, readonly Buffer[]>();
  for (const { number, bytes } of fields(message)) {
    if (number === 1) svids.push(readSvid(bytes));
    else if (number === 3) federated.set(...readBundle(bytes));
  }
  return { svids, federated };
}

function readSvid(message: Buffer): SvidMessage {
  const found = new Map(fields(message).map(({ number, bytes }) => [number, bytes]));
  const [id, chain, key, bundle] = [1, 2, 3, 4].map((number) => found.get(number));
  if (id === undefined || chain === undefined || key === undefined || bundle === undefined) {
    throw new WorkloadMessageError('an SVID without id, chain, key or bundle');
  }
  return { spiffeId: id.toString('utf8'), chain: certificates(chain), key, bundle: certificates(bundle) };
}

/** An entry of `map<string, bytes>`. */
function readBundle(entry: Buffer): [trustDomain: string, bundle: readonly Buffer[]] {
  const found = new Map(fields(entry).map(({ number, bytes }) => [number, bytes]));
  return [found.get(1)?.toString('utf8') ?? '', certificates(found.get(2) ?? Buffer.alloc(0))];
}

function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = message[at];
      if (byte === undefined) throw new WorkloadMessageError('it ends in the middle');
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new WorkloadMessageError('a number that is too long');
  };
  const take = (length: number): Buffer => {
    if (at + length > message.length) throw new WorkloadMessageError('it ends in the middle');
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        found.push({ number, bytes: take(varint()) });
        break;
      case 5:
        take(4);
        break;
      default:
        throw new WorkloadMessageError(`a field of the wire type ${tag % 8}`);
    }
  }
  return found;
}

/** DER certificates one behind the other, each cut out by the length of its outer SEQUENCE. */
function certificates(ders: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < ders.length; ) {
    const first = ders[at + 1] ?? 0;
    const octets = first < 0x80 ? 0 : first & 0x7f;
    if (ders[at] !== 0x30 || octets > 3 || first === 0x80 || at + 2 + octets > ders.length) {
      throw new WorkloadMessageError('a certificate that is none');
    }
    const length = octets === 0 ? first : ders.readUIntBE(at + 2, octets);
    const end = at + 2 + octets + length;
    if (end > ders.length) throw new WorkloadMessageError('a certificate that ends in the middle');
    found.push(ders.subarray(at, end));
    at = end;
  }
  return found;
}
