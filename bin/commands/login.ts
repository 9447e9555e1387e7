// `sallyport login`: lets this command line act for a person, approved in their browser.
import { credentialsFile, writeCredentials } from '#connectors/device/credentials';
import { LoginError, login } from '#connectors/device/login';
import { portalAgent } from '#connectors/device/transport';
import { EXIT } from '../exit.ts';
import { openBrowser } from '../open-browser.ts';
import { AuthorityFileError, readAuthority } from '../read-authority.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport login --portal URL [--ca FILE] [--no-browser] [--json]

Signs this command line in: your browser opens, you sign in there as always, compare a number, and approve.
What it may do is decided at every connection; signing out in the browser ends it too.

Options:
  --portal URL   The address of your portal, like https://access.example.com
  --ca FILE      PEM to trust for it instead of the system's authorities
  --no-browser   Print the address instead of opening it
  --json         Print {"name", "portal", "expiresAt"} when signed in

HTTPS_PROXY and NO_PROXY are honoured. The token is kept in ~/.config/sallyport/credentials.json, mode 0600.

Exit codes: 0 signed in, 1 not approved or refused, 2 wrong usage.

Example: sallyport login --portal https://access.example.com
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('login', argv, {
    portal: { type: 'string' },
    ca: { type: 'string' },
    'no-browser': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { portal: text, ca: caFile, json } = parsed.values;
  const portal = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (portal?.protocol !== 'https:') {
    process.stderr.write('sallyport login: which portal? Give --portal https://….\n');
    return EXIT.usage;
  }
  let ca: string | undefined;
  try {
    ca = caFile === undefined ? undefined : readAuthority(caFile);
  } catch (error) {
    if (!(error instanceof AuthorityFileError)) throw error;
    process.stderr.write(`sallyport login: ${error.message}\n`);
    return EXIT.usage;
  }
  try {
    const show = (url: string, number: string): void => {
      process.stderr.write(
        `Approve this command line in your browser:\n  ${url}\nIt must show the number ${number}.\n`,
      );
      if (!parsed.values['no-browser']) openBrowser(url);
    };
    const credentials = await login({ portal, agent: portalAgent(ca), show });
    writeCredentials(credentialsFile(process.env), { ...credentials, ...(ca === undefined ? {} : { ca }) });
    const { name, expiresAt } = credentials;
    if (json) process.stdout.write(`${JSON.stringify({ name, portal: credentials.portal, expiresAt })}\n`);
    else process.stdout.write(`Signed in as ${name} until ${new Date(expiresAt).toLocaleString()}.\n`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof LoginError)) throw error;
    process.stderr.write(`sallyport login: ${error.message}\n`);
    return EXIT.no;
  }
}
