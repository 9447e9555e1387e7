// RSA keys of TPMs that chose their primes too cleverly (ROCA, CVE-2017-15361): anybody can compute the private key. They
// give themselves away by their remainders, which are all powers of 65537 (Nemec and others, 2017, section 3).

/** Enough that one in a hundred million sound keys looks alike: the primes of the paper's own test. */
const PRIMES: readonly bigint[] = [
  ...[3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n, 59n, 61n, 67n, 71n, 73n],
  ...[79n, 83n, 89n, 97n, 101n, 103n, 107n, 109n, 113n, 127n, 131n, 137n, 139n, 149n, 151n, 157n, 163n, 167n],
];

/** For each prime the remainders that powers of 65537 have. */
const POWERS = new Map(
  PRIMES.map((prime) => {
    const powers = new Set<bigint>();
    for (let power = 1n; !powers.has(power); power = (power * 65537n) % prime) powers.add(power);
    return [prime, powers];
  }),
);

export function isRoca(modulus: Buffer): boolean {
  const number = BigInt(`0x${modulus.toString('hex')}`);
  for (const [prime, powers] of POWERS) {
    if (!powers.has(number % prime)) return false;
  }
  return true;
}
