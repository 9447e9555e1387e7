// Sign-ins at hostile providers, from the first redirect to the claims, as suites of their own need them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Claims } from '#gateway/identity/claims';
import { LoginError, Provider } from '#gateway/identity/providers';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { CLIENT_SECRET, HostileProvider } from './hostile.ts';

export const CALLBACK = 'https://access.example.com/callback/corp';

/** One hostile provider, another one elsewhere, and a clock that the test moves. */
export class Attempts {
  readonly directory: string;
  readonly hostile: HostileProvider;
  readonly elsewhere: HostileProvider;
  readonly #certificate: { cert: string; key: string };
  time: number = Date.now();

  private constructor(
    directory: string,
    hostile: HostileProvider,
    elsewhere: HostileProvider,
    certificate: { cert: string; key: string },
  ) {
    this.directory = directory;
    this.hostile = hostile;
    this.elsewhere = elsewhere;
    this.#certificate = certificate;
  }

  static async start(): Promise<Attempts> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-hostile-'));
    const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
    writeFileSync(join(directory, 'ca.pem'), authority.certificate);
    writeFileSync(join(directory, 'secret'), CLIENT_SECRET, { mode: 0o600 });
    const certificate = await issueCertificate(authority, ['localhost']);
    const [hostile, elsewhere] = [
      await HostileProvider.start(certificate),
      await HostileProvider.start(certificate),
    ];
    return new Attempts(directory, hostile, elsewhere, certificate);
  }

  /** One more hostile provider, for attempts that go on at the same time. */
  another(): Promise<HostileProvider> {
    return HostileProvider.start(this.#certificate);
  }

  repent(): void {
    this.hostile.repent();
    this.elsewhere.repent();
    this.time = Date.now();
  }

  async close(): Promise<void> {
    await this.hostile.close();
    await this.elsewhere.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  provider(of: HostileProvider = this.hostile, id = 'corp'): Provider {
    const config = of.config(id, join(this.directory, 'ca.pem'), join(this.directory, 'secret'));
    return new Provider(config, CALLBACK, () => this.time);
  }

  /** One sign-in to its end; `change` spoils the callback. */
  async signIn(
    at: Provider = this.provider(),
    change: (callback: URL) => void = () => {},
    of: HostileProvider = this.hostile,
  ): Promise<Claims> {
    const { url, state, nonce, verifier } = await at.begin();
    assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
    of.nonce = nonce;
    of.challenge = url.searchParams.get('code_challenge') ?? '';
    const callback = new URL(CALLBACK);
    callback.searchParams.set('code', 'a-code');
    callback.searchParams.set('state', state);
    change(callback);
    return at.finish(callback, { state, nonce, verifier });
  }

  async refused(code: LoginError['code'], change?: (callback: URL) => void): Promise<void> {
    await assert.rejects(this.signIn(this.provider(), change), (error: unknown) => {
      assert.ok(error instanceof LoginError, String(error));
      assert.equal(error.code, code, String(error.cause));
      // What people are shown holds nothing of the protocol.
      assert.doesNotMatch(error.message, /a-code|access|eyJ|secret/);
      return true;
    });
  }
}
