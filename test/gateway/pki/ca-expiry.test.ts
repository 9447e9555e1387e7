// Roots and intermediates are warned of 30 days, 7 days and a day before they end, and what renews itself only when it did
// not.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openAuthority } from '#gateway/pki/authority';
import { expiring, expiringMakers } from '#gateway/pki/ca-expiry';

const DAY = 86_400_000;
const START = Date.parse('2026-03-04T10:00:00Z');
const place = mkdtempSync(join(tmpdir(), 'sallyport-expiry-'));
after(() => rmSync(place, { recursive: true, force: true }));

test('what ends soon is told in steps, and what to do', async () => {
  const { certificate, intermediates } = await openAuthority(place, 'Test', () => START);
  const warned = (days: number, rootOnline: boolean): string[] =>
    expiring('one', { certificate, intermediates, rootOnline }, START + days * DAY).map(
      (warning) => `${warning.certificate} ${warning.days}`,
    );
  assert.deepEqual(warned(0, true), []);
  assert.deepEqual(warned(59, false), []);
  assert.deepEqual(warned(60, false), ['one intermediate 30']);
  assert.deepEqual(warned(83, false), ['one intermediate 7']);
  assert.deepEqual(warned(89, false), ['one intermediate 1']);
  assert.deepEqual(warned(91, false), ['one intermediate 1'], 'also once it has ended');
  assert.deepEqual(warned(3620, true).slice(0, 1), ['one root 30']);
  const [offline] = expiring('one', { certificate, intermediates, rootOnline: false }, START + 60 * DAY);
  assert.match(offline?.message ?? '', /sallyport ca intermediate csr/);
  // At the moment of its renewal there is nothing to warn of.
  assert.deepEqual(expiring('one', { certificate, intermediates, rootOnline: true }, START + 60 * DAY), []);
});

test('a TPM maker’s is told by its name, and what becomes of whose TPM it vouches for', async () => {
  const { certificate } = await openAuthority(join(place, 'maker'), 'Maker', () => START);
  const { raw, validTo } = new X509Certificate(certificate);
  const end = Date.parse(validTo);
  const asked: number[] = [];
  const endingBy = (time: number): readonly Buffer[] => {
    asked.push(time);
    return [raw];
  };
  const [one] = expiringMakers(endingBy, end - 7 * DAY);
  assert.deepEqual(asked, [end + 23 * DAY], 'who ends later is not looked at');
  assert.deepEqual([one?.days, one?.notAfter], [7, end]);
  assert.match(
    one?.message ?? '',
    /^the certificate TPM maker's CA .*CN=Maker root ends on .*: from then on no machine/,
  );
  assert.equal(expiringMakers(endingBy, end + DAY)[0]?.days, 1, 'also once it has ended');
});
