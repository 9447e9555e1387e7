// The commands that a page shows, for the story that types them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './installation.ts';

/** Words after `sallyport` of every command in the page's fences marked `sh <mark>`, in order. */
export function shownCommands(page: string, mark: string): string[][] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`sh ${mark}\\n([\\s\\S]*?)^\`\`\``, 'gm'))]
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line.startsWith('sallyport '))
    .map((line) => line.split(' ').slice(1));
}
