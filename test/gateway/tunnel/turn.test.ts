// The end of a turn: what comes when, told by the order of words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turn } from '#gateway/tunnel/turn';

test('what a record allows is sent in the turn in which it was written, and in one go', async () => {
  const turn = new Turn();
  const said: string[] = [];
  const wait = (step: (done: () => void) => void): Promise<void> => new Promise(step);
  const request = async (name: string): Promise<void> => {
    await wait((kept) =>
      turn.record(() => {
        said.push(`${name} recorded`);
        setImmediate(() => said.push('the next turn'));
        kept();
      }),
    );
    // As many hops as an asynchronous way through the gateway may have.
    for (let hop = 0; hop < 20; hop++) await undefined;
    turn.send(() => said.push(`${name} sent`));
  };
  await Promise.all([request('one'), request('two')]);
  assert.deepEqual(said, ['one recorded', 'two recorded']);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(said.slice(2), ['one sent', 'two sent', 'the next turn', 'the next turn']);
});

test('nothing is said before the reads of the turn are over, and nothing twice', async () => {
  const turn = new Turn();
  const said: string[] = [];
  turn.send(() => {
    said.push('sent');
    turn.send(() => said.push('sent later'));
  });
  await Promise.resolve();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  assert.equal(said.length, 0);
  turn.record(() => said.push('recorded'));
  await nextTurn();
  assert.deepEqual(said, ['recorded', 'sent']);
  await nextTurn();
  assert.deepEqual(said, ['recorded', 'sent', 'sent later']);
  await nextTurn();
  assert.equal(said.length, 3);
});

test('a record that follows from another one is written without anybody else coming', async () => {
  const turn = new Turn();
  const said: string[] = [];
  const record = (word: string): Promise<void> =>
    new Promise((kept) =>
      turn.record(() => {
        said.push(word);
        kept();
      }),
    );
  const both = record('one').then(() => record('two'));
  await nextTurn();
  assert.deepEqual(said, ['one']);
  await nextTurn();
  assert.deepEqual(said, ['one', 'two']);
  await both;
  // From within a step, too.
  turn.record(() => void turn.record(() => said.push('three')));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(said, ['one', 'two', 'three']);
});
