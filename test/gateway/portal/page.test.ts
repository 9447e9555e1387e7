// The frame of our own pages: it is whole by itself, and its policy lets in what it brings and nothing else.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { OWN_HEADERS } from '#gateway/portal/page';
import { messagePage } from '#gateway/portal/pages';

const shown = await messagePage('https://access.example.com', { title: 'Nothing here', text: '<b>&' });

test('the style in the page is the one that its policy names', () => {
  const style = /<style>([\s\S]*?)<\/style>/.exec(shown)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  assert.match(style, /light-dark/);
  const policy = OWN_HEADERS['Content-Security-Policy']?.split('; ');
  assert.deepEqual(
    policy?.filter((one) => /^(default|style|script|img)-src/.test(one)),
    ["default-src 'none'", `style-src 'sha256-${hash}'`, 'img-src data:'],
  );
});

test('a page fetches nothing: it may stand at a host where nothing else of ours is', () => {
  const links = [...shown.matchAll(/<(?!a )[^>]*(?:href|src)="([^"]*)"/g)].map(([, target]) => target);
  assert.deepEqual(
    links.map((target) => target?.split(':')[0]),
    ['data'],
  );
});

test('what a page says is text', () => {
  assert.match(shown, /<p>&lt;b&gt;&amp;<\/p>/);
});
