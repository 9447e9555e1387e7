// Corpus: what people carry: cookies, bearer tokens, hand-off codes, callbacks and ID tokens, broken and forged. None
// opens what a whole one opens, no answer sends a browser to a stranger, and no mutant of an ID token is believed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ClaimsError, loginOf, subjectOf } from '#gateway/identity/claims';
import { LoginError, Provider } from '#gateway/identity/providers';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { CLIENT_SECRET, HostileProvider, type Key } from '#test/gateway/identity/hostile';
import { type FuzzInstallation, HOST, startFuzzInstallation } from './bed/installation.ts';
import { mutateText } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';
import { Witness } from './bed/witness.ts';

const PORTAL = 'access.localhost';
const CALLBACK = 'https://access.example.com/callback/corp';
const SECRET = 'A'.repeat(43);
const BATCH = 2048;
/** Milliseconds for an answer that may have to ask a provider. */
const PATIENCE = 10_000;
const AT_ONCE = 8;

const PIECES: readonly string[] = [
  ...[
    '&',
    '=',
    ';',
    '; ',
    '%00',
    '%0d%0aSet-Cookie:a=b',
    '//',
    '/\\',
    '/%09/',
    '@',
    'https:',
    '%2f%2fevil.example',
    '\\',
    '"',
    '.',
  ],
  ...[
    '__Host-sallyport=',
    '__Host-sallyport-browser=',
    'state=',
    'code=',
    'iss=https://evil.example',
    'error=access_denied',
    'path=//evil.example',
  ],
  ...[
    'host=evil.example',
    'host=wiki.localhost',
    'path=/%2e%2e',
    'start=',
    'step-up=1',
    'provider=corp',
    'id_token=x',
    '%',
    '%ff',
    'x'.repeat(3000),
  ],
  ...[
    'Bearer ',
    'bearer ',
    'Basic ',
    '\x00',
    '\xff',
    '\t',
    '[]',
    '{}',
    'null',
    '1e999',
    '__proto__',
    '-1',
    '=',
    '==',
    'eyJ',
    '_',
    '-',
  ],
];

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const installation = await startFuzzInstallation();
  const witness = new Witness(installation, tally);
  const crash = (error: unknown): void => tally.fail('(the process)', error);
  process.on('uncaughtException', crash).on('unhandledRejection', crash);
  const provider = await startMutantProvider();
  try {
    while (tally.more) {
      let left = BATCH;
      const worker = async (): Promise<void> => {
        while (left > 0 && tally.more) {
          left -= 1;
          const ask = request(installation, dice);
          witness.tried(ask.text);
          await tally.trial(
            () => JSON.stringify(ask.text),
            () => answered(installation, ask),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      // Tokens cost a whole exchange with a provider each.
      for (let i = 0; i < BATCH / 16 && tally.more; i += 1) {
        const say = mutantToken(provider.hostile, dice);
        await tally.trial(say.shown, () => believed(provider, say.changed));
      }
      witness.check();
      for (const complaint of installation.complaints.splice(0)) tally.fail('(a log)', complaint);
    }
    return tally.figures();
  } finally {
    process.off('uncaughtException', crash).off('unhandledRejection', crash);
    await provider.close();
    await installation.close();
  }
}

interface Ask {
  readonly text: string;
  readonly host: string;
  /** It carries the cookie that opens the app, whole. */
  readonly whole: boolean;
}

function request({ cookie }: FuzzInstallation, dice: Dice): Ask {
  const broken = Buffer.from(mutateText(cookie, PIECES, dice), 'latin1')
    .toString('latin1')
    .replaceAll(/[\r\n]/g, '');
  const query = (text: string): string => mutateText(text, PIECES, dice).replaceAll(/[^\x21-\x7e]|#/g, '');
  const kind = dice.below(8);
  const get = (host: string, target: string, ...lines: string[]): Ask => ({
    text: `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`,
    host,
    whole: lines.some((line) => carries(line, cookie)),
  });
  switch (kind) {
    case 0:
    case 1:
    case 2:
      return get(HOST, '/open/cookie', `Cookie: ${broken}`);
    case 3:
      return get(
        PORTAL,
        `/callback/corp?${query(`code=abc&state=${SECRET}`)}`,
        `Cookie: __Host-sallyport-browser=${SECRET}`,
      );
    case 4:
      return get(HOST, `/.sallyport/enter?${query(`code=${SECRET}`)}`, `Cookie: ${broken}`);
    case 5:
      return get(
        PORTAL,
        `/sign-in?${query(`host=wiki.localhost&path=/open/x&start=${SECRET}`)}`,
        `Cookie: ${broken}`,
      );
    case 6:
      return get(
        PORTAL,
        `/cli?${query(`port=40000&challenge=${SECRET}&state=${SECRET}`)}`,
        `Cookie: ${broken}`,
      );
    default: {
      const body = mutateText(JSON.stringify({ code: SECRET, verifier: SECRET }), PIECES, dice);
      const bytes = Buffer.from(body, 'utf8').toString('latin1');
      const lines = [`Content-Length: ${bytes.length}`, `Authorization: ${query(`Bearer ${SECRET}`)}`];
      const text = `POST /cli/token HTTP/1.1\r\nHost: ${PORTAL}\r\n${lines.join('\r\n')}\r\n\r\n${bytes}`;
      return { text, host: PORTAL, whole: false };
    }
  }
}

/** The session's pair stands in this Cookie line, alone of its name and untouched. */
function carries(line: string, cookie: string): boolean {
  const pair = /__Host-sallyport=[\w-]+/.exec(cookie)?.[0] ?? '-';
  const pairs = line.replace(/^Cookie: /, '').split(';');
  return pairs
    .filter((one) => one.trim().startsWith('__Host-sallyport='))
    .every((one) => one.trim() === pair);
}

async function answered(installation: FuzzInstallation, { text, host, whole }: Ask): Promise<void> {
  const line = installation.line(host);
  line.say(Buffer.from(text, 'latin1'));
  const until = performance.now() + PATIENCE;
  while (!line.text.includes('\r\n\r\n') && !line.destroyed && performance.now() < until) await turn();
  const [head = ''] = line.text.split('\r\n\r\n', 1);
  line.destroy();
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  if (status === 0) throw new Error('no answer');
  if (status === 500) throw new Error('an accident');
  if (host === HOST && status === 200 && !whole) throw new Error('opened by a cookie that is not whole');
  const [, location] = /^location: (.*)$/im.exec(head) ?? [];
  if (location !== undefined && !ours(location, installation.portal)) throw new Error(`sent to ${location}`);
  if (/set-cookie: a=b/i.test(head)) throw new Error('a header was planted');
}

/** The portal, its apps, its provider: nowhere else. */
function ours(location: string, portal: string): boolean {
  const to = new URL(location, portal);
  return (
    to.protocol === 'https:' && ['access.localhost', 'wiki.localhost', 'id.localhost'].includes(to.hostname)
  );
}

interface MutantProvider {
  readonly hostile: HostileProvider;
  readonly provider: Provider;
  close(): Promise<void>;
}

async function startMutantProvider(): Promise<MutantProvider> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Fuzz', Date.now);
  writeFileSync(join(directory, 'ca.pem'), authority.certificate);
  writeFileSync(join(directory, 'secret'), CLIENT_SECRET, { mode: 0o600 });
  const hostile = await HostileProvider.start(await issueCertificate(authority, ['localhost']));
  const config = hostile.config('corp', join(directory, 'ca.pem'), join(directory, 'secret'));
  const provider = new Provider(config, CALLBACK, Date.now);
  return {
    ...{ hostile, provider },
    close: async () => {
      await hostile.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Breaks the next ID token, in its text or in what is signed; says whether the token's text was changed. */
function mutantToken(hostile: HostileProvider, dice: Dice): { changed: boolean; shown(): string } {
  const changed = dice.chance(0.6);
  let shown = '';
  hostile.idToken = async (claims) => {
    const key = hostile.keys[0] as Key;
    if (changed) {
      const whole = await hostile.sign(claims, {}, key);
      do shown = mutateText(whole, ['.', '=', 'eyJhbGciOiJub25lIn0', '-', '_', '..', 'AAAA'], dice);
      while (shown === whole);
      return shown;
    }
    shown = mutateText(JSON.stringify(claims), PIECES, dice);
    try {
      return await hostile.sign(JSON.parse(shown), {}, key);
    } catch {
      return shown;
    }
  };
  return { changed, shown: () => shown };
}

/** One sign-in: a token whose text was changed must fail, one signed with odd claims may only make a sane subject. */
async function believed({ hostile, provider }: MutantProvider, changed: boolean): Promise<void> {
  try {
    const { url, state, nonce, verifier } = await provider.begin();
    hostile.nonce = nonce;
    hostile.challenge = url.searchParams.get('code_challenge') ?? '';
    const callback = new URL(`${CALLBACK}?${new URLSearchParams({ code: 'x', state })}`);
    const claims = await provider.finish(callback, { state, nonce, verifier });
    // What comes back from a token with a changed signature's last bits is the token all the same.
    if (changed && claims['sub'] !== 'ada') throw new Error('a changed token was believed');
    const subject = subjectOf(claims, provider.config);
    loginOf(claims, provider.config, Date.now());
    if (!subject.id.startsWith(`${hostile.issuer}#`)) throw new Error(`taken for ${subject.id}`);
    if (claims['nonce'] !== nonce) throw new Error('another nonce was taken');
  } catch (error) {
    if (!(error instanceof LoginError || error instanceof ClaimsError)) throw error;
  }
}
