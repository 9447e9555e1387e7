// Whether time tells how much of a secret was guessed: Welch's t-test on guesses that share half of the secret with it
// against guesses that share nothing, interleaved. Below 4.5 the two cannot be told apart (TVLA's threshold).
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newSecret } from '#gateway/identity/cookies';
import { Sessions } from '#gateway/identity/sessions';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { Seal } from '#gateway/state/seal';
import { type BenchOptions, type BenchReport, rounded, tableOf } from './report.ts';

const HOUR = 3_600_000;
/** Guesses of each kind; the slowest twentieth is what the machine did besides. */
const GUESSES = 20_000;
const KEPT = 0.95;

type Guess = (guess: string) => Promise<unknown> | unknown;

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-timing-'));
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  try {
    const authority = await openAuthority(join(directory, 'ca'), 'Timing', Date.now);
    const sessions = new Sessions(store, { idle: HOUR, absolute: HOUR }, Date.now, async () => undefined);
    const subject = { kind: 'user', id: 'i#1', groups: [], roles: [] } as const;
    const session = await sessions.start(subject, { provider: 'p', at: Date.now() }, '192.0.2.1');
    const { value } = await sessions.openDoor(session, 'wiki.example.com');
    const desk = new EnrolmentDesk({
      ...{ store, authority, trustDomain: 'sallyport.internal', certificateLife: HOUR, now: Date.now },
    });
    const { token } = await desk.createToken('rack-1', HOUR, 'bench');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const seal = new Seal('a secret of more than thirty-two characters');
    const sealed = Buffer.from(seal.close('session:1', 'text'), 'base64');
    const tag = sealed.subarray(12, 28);
    const subjects: [name: string, secret: string, guess: Guess][] = [
      ['cookie', value, (guess) => sessions.find(guess, 'wiki.example.com')],
      [
        'enrolment_token',
        claims.secret,
        (guess) => desk.enrol(refill(claims, guess), '').catch(() => undefined),
      ],
      [
        'sealed_record',
        tag.toString('base64url'),
        (guess) => opened(seal, sealed, Buffer.from(guess, 'base64url')),
      ],
    ];
    const figures: Record<string, number> = {};
    const rows = [['', 't', 'guesses']];
    for (const [name, secret, guess] of subjects) {
      progress(name);
      const t = await welch(secret, guess);
      figures[`${name}_t`] = rounded(Math.abs(t));
      rows.push([name, t.toFixed(2), String(GUESSES * 2)]);
    }
    return { versions: {}, figures, table: tableOf(rows) };
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function refill(claims: object, secret: string): string {
  return `sallyport-enrol.${Buffer.from(JSON.stringify({ ...claims, secret })).toString('base64url')}`;
}

function opened(seal: Seal, sealed: Buffer, tag: Buffer): unknown {
  try {
    return seal.open(
      'session:1',
      Buffer.concat([sealed.subarray(0, 12), tag, sealed.subarray(28)]).toString('base64'),
    );
  } catch {
    return undefined;
  }
}

/** Student's t of the two kinds of guesses. */
async function welch(secret: string, guess: Guess): Promise<number> {
  const half = secret.slice(0, secret.length >> 1);
  const stranger = (): string =>
    createHash('sha256')
      .update(randomBytes(32))
      .digest('base64url')
      .slice(0, secret.length)
      .padEnd(secret.length, newSecret());
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < GUESSES * 2 + 2000; round += 1) {
    const kind = randomBytes(1)[0] ?? 0;
    const near = (kind & 1) === 1;
    const other = stranger();
    // Both are put together and made one piece alike, or it would be their making that is measured.
    const start = near ? half : other.slice(0, half.length);
    const text = Buffer.from(start + other.slice(half.length), 'latin1').toString('latin1');
    const before = process.hrtime.bigint();
    await guess(text);
    const took = Number(process.hrtime.bigint() - before);
    // The first ones are compiled while they run.
    if (round >= 2000) times[near ? 1 : 0].push(took);
  }
  const [a, b] = times.map((list) =>
    moments(list.sort((x, y) => x - y).slice(0, Math.floor(list.length * KEPT))),
  );
  if (a === undefined || b === undefined) return Number.NaN;
  return (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
}

function moments(values: readonly number[]): { mean: number; variance: number; count: number } {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const variance = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1);
  return { mean, variance, count: values.length };
}
