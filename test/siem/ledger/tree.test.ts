// The tree, its tiles, notes and proofs: against the definition in RFC 6962 and the vectors of the specifications.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCheckpoint, signCheckpoint } from '#siem/ledger/checkpoint';
import { Frontier } from '#siem/ledger/frontier';
import { EMPTY_ROOT, leafHash, nodeHash } from '#siem/ledger/hash';
import { formatSigner, openNote, parseSigner, parseVerifier, signerOf, signNote } from '#siem/ledger/note';
import { inclusionProof, provesInclusion } from '#siem/ledger/proof';
import { parseTilePath, tilePath, tileWidth } from '#siem/ledger/tile';
import { checkProof, formatProof, parseProof } from '#siem/ledger/tlog-proof';

/** MTH as RFC 6962, section 2.1 writes it down. */
function definition(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(definition(leaves.slice(0, split)), definition(leaves.slice(split)));
}

const leaves = Array.from({ length: 300 }, (_, index) => leafHash(Buffer.from(`record ${index}`)));
const nodeAt = (height: number, index: number): Buffer =>
  definition(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height));

describe('the tree', () => {
  test('has the hashes of RFC 6962', () => {
    const hex = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';
    assert.equal(leafHash(Buffer.alloc(0)).toString('hex'), hex);
    assert.equal(
      EMPTY_ROOT.toString('hex'),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    const long = leafHash(Buffer.alloc(100_000, 7));
    assert.deepEqual(leafHash(Buffer.alloc(100_000, 7)), long, 'a long entry does not spoil the next');
    assert.equal(leafHash(Buffer.alloc(0)).toString('hex'), hex);
  });

  test('grows to the root of the definition at every size, also when it was taken up again', () => {
    const frontier = new Frontier();
    for (const [index, leaf] of leaves.entries()) {
      assert.deepEqual(frontier.root(), definition(leaves.slice(0, index)));
      assert.deepEqual(new Frontier(index, nodeAt).root(), frontier.root());
      frontier.append(leaf);
    }
  });

  test('proves every leaf at every size, and nothing else', () => {
    for (const size of [1, 2, 3, 7, 8, 100, 255, 256, 257, 300]) {
      const root = definition(leaves.slice(0, size));
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, nodeAt);
        const leaf = leaves[index] as Buffer;
        assert.ok(provesInclusion(leaf, index, size, proof, root), `${index} of ${size}`);
        assert.ok(!provesInclusion(leafHash(leaf), index, size, proof, root), 'another leaf');
        assert.ok(!provesInclusion(leaf, index, size, [...proof, leaf], root), 'too long a proof');
        if (size > 1) {
          assert.ok(!provesInclusion(leaf, (index + 1) % size, size, proof, root), 'another place');
          assert.ok(!provesInclusion(leaf, index, size, proof.slice(1), root), 'too short a proof');
        }
      }
    }
    assert.ok(!provesInclusion(leaves[0] as Buffer, 0, 0, [], EMPTY_ROOT), 'nothing is in an empty tree');
  });
});

describe('tiles', () => {
  test('have the names of the specification, and each only one', () => {
    assert.equal(tilePath(0, 1_234_067, 256), 'tile/0/x001/x234/067');
    assert.equal(tilePath('entries', 273, 112), 'tile/entries/273.p/112');
    for (const path of ['tile/0/x001/x234/067', 'tile/2/000.p/1', 'tile/entries/x001/000.p/255']) {
      const name = parseTilePath(path);
      assert.ok(name !== undefined);
      assert.equal(tilePath(name.level, name.index, name.width), path);
    }
    for (const path of [
      'tile/00/000',
      'tile/0/0',
      'tile/0/x000/000',
      'tile/0/000.p/256',
      'tile/0/000.p/01',
    ]) {
      assert.equal(parseTilePath(path), undefined, path);
    }
  });

  test('are as wide as the specification says for 70,000 entries', () => {
    assert.equal(tileWidth(70_000, 0, 272), 256);
    assert.equal(tileWidth(70_000, 0, 273), 112);
    assert.equal(tileWidth(70_000, 1, 0), 256);
    assert.equal(tileWidth(70_000, 1, 1), 17);
    assert.equal(tileWidth(70_000, 2, 0), 1);
    assert.equal(tileWidth(256, 1, 0), 1);
    assert.equal(tileWidth(256, 0, 1), 0);
  });
});

describe('notes', () => {
  const seed = Buffer.alloc(32, 1);
  const signer = signerOf('access.example.com/gw1/changes', seed);
  const { verifier } = signer;

  test('open with the published key of the Go checksum database, and not when a byte is changed', () => {
    // golang.org/x/mod/sumdb/note, the example of its documentation.
    const known = parseVerifier('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const note =
      'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n\n' +
      '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
    assert.equal(openNote(note.replace('don’t', "don't"), known).split('\n').length, 3);
    assert.throws(() => openNote(note, known), { code: 'note' });
  });

  test('keys keep their form, and a damaged one is refused', () => {
    const text = formatSigner(signer, seed);
    assert.equal(parseSigner(text).verifier.text, verifier.text);
    assert.equal(parseVerifier(verifier.text).name, 'access.example.com/gw1/changes');
    assert.throws(() => parseVerifier(verifier.text.replace('gw1', 'gw2')), { code: 'note' });
    assert.throws(() => parseSigner(`${text.slice(0, -8)}AAAAAAA=`), { code: 'note' });
    for (const name of ['', 'with space', 'plus+plus', 'line\nbreak', 'x'.repeat(300)]) {
      assert.throws(() => signerOf(name, seed), { code: 'note' }, JSON.stringify(name));
    }
  });

  test('any single bit that is flipped anywhere spoils a checkpoint', () => {
    const note = signCheckpoint({ size: 70_000, root: leaves[0] as Buffer }, signer);
    assert.deepEqual(openCheckpoint(note, verifier), { size: 70_000, root: leaves[0] });
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.throws(() => openCheckpoint(changed.toString('utf8'), verifier), { code: 'note' }, `bit ${bit}`);
    }
  });

  test('signatures of others are passed over; a note of nobody we know is refused', () => {
    const other = signerOf('witness.example', Buffer.alloc(32, 2));
    const text = 'access.example.com/gw1/changes\n0\n';
    const cosigned = signNote(text, signer) + signNote(text, other).slice(text.length + 1);
    assert.equal(openNote(cosigned, verifier), text);
    assert.equal(openNote(cosigned, other.verifier), text);
    assert.throws(() => openNote(signNote(text, other), verifier), { code: 'note' });
  });

  test('a proof is read back as it was written, whatever extra it carries, and fits one record only', () => {
    const root = definition(leaves.slice(0, 70));
    const checkpoint = signCheckpoint({ size: 70, root }, signer);
    const text = formatProof({ index: 33, hashes: inclusionProof(33, 70, nodeAt), checkpoint });
    assert.equal(formatProof(parseProof(text)), text);
    const extra = text.replace('index', 'extra AAAA\nindex');
    for (const one of [text, extra]) {
      assert.equal(checkProof(parseProof(one), Buffer.from('record 33'), verifier).size, 70);
      assert.throws(() => checkProof(parseProof(one), Buffer.from('record 34'), verifier), { code: 'note' });
    }
    for (const bad of ['', 'hello', text.replace('@v1', '@v2'), text.replace('index 33', 'index 033')]) {
      assert.throws(() => parseProof(bad), { code: 'note' }, bad.slice(0, 40));
    }
  });
});
