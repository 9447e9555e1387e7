// Corpus: what somebody says to have a key believed to be in a TPM: the offer at /v1/key-proof, in its text and in the bytes
// of its members, and the proof that follows, half of it signed by the TPM afterwards. No credential goes to keys that are
// not a trusted maker's, none opens for another TPM, no broken proof is one, and every refusal has a code and a record.
import { type EnrolChallenge, encodeEvidence, type KeyProof } from '#connectors/wire/evidence';
import { decodeEnrolChallenge, decodeKeyProof } from '#connectors/wire/evidence-decoder';
import { Endorsements } from '#gateway/attest/endorsements';
import { KeyProofs } from '#gateway/attest/key-proof';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { Store } from '#gateway/state/store';
import { EndorsementCa } from '#test/gateway/attest/endorsement-ca';
import { answer, offerOf, requestOf } from '#test/gateway/attest/key-evidence';
import { SoftwareTpm } from '#test/gateway/attest/software-tpm';
import { NOW, opens, saidOtherwise } from './bed/device.ts';
import { JSON_WORDS, mutateText, otherBytes } from './bed/mutate.ts';
import { ProofDoor, type Reply } from './bed/proof-door.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const AT_ONCE = 8;
const WORDS: readonly string[] = [
  ...JSON_WORDS,
  ...['-', '_', '+', '/', '\\u0000', '[['.repeat(200)],
  ...['"__proto__":{},', '"token":"x",', '"ekIntermediates":["AAAA"],', '"ekIntermediates":[],'],
  ...['"akPublic":', '"ekCertificate":"",', 'A'.repeat(9_000), 'A'.repeat(70_000), '\ufeff', '\0', '1e999'],
];

type Offer = ReturnType<typeof offerOf>;

interface Subject {
  readonly tpm: SoftwareTpm;
  readonly offer: Offer;
  readonly csr: string;
  /** A credential it opened, and its proof for that request. */
  readonly challenge: EnrolChallenge;
  readonly proof: KeyProof;
}

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const ca = new EndorsementCa('Maker');
  const endorsements = new Endorsements({ roots: [ca.certificate] });
  const store = memory();
  const proofs = new KeyProofs({
    ...{ store, endorsements: () => endorsements, challengeLife: 60_000, now: () => NOW },
  });
  const subjects: Subject[] = [];
  for (const tpm of [new SoftwareTpm('p256', 'ecc'), new SoftwareTpm('rsa', 'rsa')]) {
    const offer = offerOf(tpm, ca);
    const csr = await requestOf(tpm.session);
    const challenge = await proofs.begin(offer);
    const proof = answer(tpm, challenge, csr);
    await proofs.check(proof, csr, tpm.session.publicKey);
    subjects.push({ tpm, offer, csr, challenge, proof });
  }
  const door = await ProofDoor.open(proofs, AT_ONCE);
  let accepted = 0;
  const take = (input: string, why: string): void => {
    accepted += 1;
    tally.note(input, why);
  };

  const trials: readonly ((subject: Subject) => Promise<void>)[] = [
    async ({ tpm, offer }) => {
      const text = mutateText(encodeEvidence(offer), WORDS, dice);
      await tally.trial(
        () => text,
        async () => judge(await door.ask(text), tpm, offer, sameOffer(text, offer), text),
      );
    },
    async ({ tpm, offer }) => {
      const changed = altered(offer, dice, ca);
      const text = encodeEvidence(changed);
      await tally.trial(
        () => text,
        async () => judge(await door.ask(text), tpm, offer, false, text),
      );
    },
    async ({ tpm, csr, proof }) => {
      const text = mutateText(encodeEvidence(proof), WORDS, dice);
      await tally.trial(
        () => text,
        async () => {
          const decoded = readProof(text);
          if (decoded === undefined || sameProof(decoded, proof)) return;
          if (await proved(decoded, csr, tpm)) take(text, 'a broken proof was believed');
        },
      );
    },
    async ({ tpm, csr, proof }) => {
      const broken = brokenProof(proof, dice);
      const text = encodeEvidence(broken);
      await tally.trial(
        () => text,
        async () => {
          if (await proved(decodeKeyProof(JSON.parse(text)), csr, tpm))
            take(text, 'a broken proof was believed');
        },
      );
    },
    async ({ tpm, csr, proof }) => {
      // What a TPM was made to sign, and that says something else where that matters.
      const certifyInfo = saidOtherwise(tpm, proof.certifyInfo, dice, toName);
      const said = { ...proof, certifyInfo, certifySignature: tpm.sign(certifyInfo) };
      await tally.trial(
        () => certifyInfo.toString('hex'),
        async () => {
          if (await proved(said, csr, tpm))
            take(certifyInfo.toString('hex'), 'a certification of something else');
        },
      );
    },
    async ({ tpm, csr, proof }) => {
      const other = mutateText(csr, WORDS, dice);
      await tally.trial(
        () => other,
        async () => {
          if (other !== csr && (await proved(proof, other, tpm))) take(other, 'a proof for another request');
        },
      );
    },
  ];

  /** A credential that was given is for a TPM of the maker, and opens there alone. */
  function judge({ status, body }: Reply, tpm: SoftwareTpm, offer: Offer, same: boolean, text: string): void {
    if (status !== 201) {
      if (status !== 400 && status !== 403) throw new Error(`answered ${status}: ${body}`);
      if (typeof JSON.parse(body).error !== 'string') throw new Error(`refused without a code: ${body}`);
      if (same) throw new Error(`an honest offer was refused: ${body}`);
      return;
    }
    const credential = decodeEnrolChallenge(JSON.parse(body));
    const sent = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const member = (name: 'ekPublic' | 'ekCertificate' | 'akPublic'): boolean =>
      sent[name] === offer[name]?.toString('base64url');
    if (!member('ekPublic') || !member('ekCertificate')) take(text, 'a TPM that no maker vouches for');
    else if (opens(tpm, credential) !== member('akPublic'))
      take(text, 'a credential that opens for other keys, or for nobody');
  }

  async function proved(proof: KeyProof, csr: string, { session }: SoftwareTpm): Promise<boolean> {
    try {
      await proofs.check(proof, csr, session.publicKey);
      return true;
    } catch (error) {
      if (error instanceof AttestationRefusal) return false;
      throw error;
    }
  }

  try {
    const worker = async (): Promise<void> => {
      while (tally.more) await dice.pick(trials)(dice.pick(subjects));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (door.refused !== door.recorded)
      tally.fail('(the record)', `${door.refused} refused, ${door.recorded} recorded`);
    return { ...tally.figures(), accepted };
  } finally {
    await door.close();
  }
}

/** One member otherwise, or something between the certificate and its root. */
function altered(offer: Offer, dice: Dice, ca: EndorsementCa): Offer {
  switch (dice.below(5)) {
    case 0:
      return { ...offer, ekPublic: otherBytes(offer.ekPublic, dice) };
    case 1:
      return { ...offer, ekCertificate: otherBytes(offer.ekCertificate ?? Buffer.alloc(1), dice) };
    case 2:
      return { ...offer, ekIntermediates: [otherBytes(Buffer.from(ca.certificate), dice)] };
    default:
      return { ...offer, akPublic: otherBytes(offer.akPublic, dice) };
  }
}

const MEMBERS = ['secret', 'public', 'certifyInfo', 'certifySignature'] as const;

function brokenProof(proof: KeyProof, dice: Dice): KeyProof {
  const member = dice.pick(MEMBERS);
  if (member !== 'secret') return { ...proof, [member]: otherBytes(proof[member], dice) };
  // Of one length: another one is refused as text.
  const secret = Buffer.from(proof.secret);
  const at = dice.below(secret.length);
  secret.writeUInt8(secret.readUInt8(at) ^ (1 << dice.below(8)), at);
  return { ...proof, secret };
}

/** Up to the name of what is certified, behind its length: what follows is the TPM's to say. */
const toName = (after: number): number => after + 2 + 34 + 2;

function readProof(text: string): KeyProof | undefined {
  try {
    return decodeKeyProof(JSON.parse(text));
  } catch (error) {
    // Whoever reads it says so with a code of its own, or it is no JSON.
    if (error instanceof SyntaxError || (error as { code?: unknown }).code === 'evidence-malformed')
      return undefined;
    throw error;
  }
}

const sameProof = (one: KeyProof, other: KeyProof): boolean => encodeEvidence(one) === encodeEvidence(other);

/** The text still says the same, with other spaces perhaps. */
function sameOffer(text: string, offer: Offer): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === encodeEvidence(offer);
  } catch {
    return false;
  }
}

/** Challenges are looked at again and again here; that each is good once is shown elsewhere. */
function memory(): Store {
  const kept = new Map<string, unknown>();
  const get = async (kind: string, key: string): Promise<unknown> => kept.get(`${kind} ${key}`);
  const put = async (kind: string, key: string, value: unknown): Promise<void> => {
    // Those of the subjects are kept; what is begun meanwhile nobody comes back for.
    if (kept.size < 2) kept.set(`${kind} ${key}`, value);
  };
  return { get, take: get, put } as unknown as Store;
}
