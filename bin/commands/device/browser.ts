// `sallyport device browser`: opens the portal's page on which a browser shows its device.
import { BROWSER_PATH } from '#connectors/wire/browser';
import { EXIT } from '../../exit.ts';
import { openBrowser } from '../../open-browser.ts';
import { readOptions } from '../../usage.ts';
import { explain, thisMachine } from './machine.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device browser', argv, { 'no-browser': { type: 'boolean', default: false } });
  if (parsed === undefined) return EXIT.usage;
  try {
    const { device } = thisMachine();
    const url = new URL(BROWSER_PATH, device.portal);
    url.search = new URLSearchParams({ device: device.device }).toString();
    process.stdout.write(`${url.href}\n`);
    if (!parsed.values['no-browser']) openBrowser(url.href);
    return EXIT.ok;
  } catch (error) {
    return explain('browser', error);
  }
}
