// Words for an error nobody expected: one line, a stack only on request, and never a secret in either.
import { withoutSecrets } from '#siem/redact';

/** `text` without secrets, also of a kind that no record holds. */
function cleaned(text: string): string {
  // JSON.parse quotes what it could not read, which may be the middle of a key file.
  const told = text.replace(/"[\s\S]*"(\.\.\.)? is not valid JSON/g, 'the text is not valid JSON');
  return withoutSecrets(told).replace(/[\w+/=-]{40,}/g, '[hidden]');
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a message must not move the cursor of a terminal.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

/** What to print before ending: with `debug` the stack and the causes, otherwise one line that says how to get them. */
export function describeCrash(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `sallyport: stopped: ${oneLine(cleaned(String(error)))}`;
  if (debug) {
    const lines: string[] = [];
    for (let at: unknown = error; at instanceof Error && lines.length < 8; at = at.cause) {
      lines.push(`${lines.length === 0 ? 'sallyport: stopped: ' : 'caused by: '}${at.stack ?? String(at)}`);
    }
    return cleaned(lines.join('\n'));
  }
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  const message = oneLine(cleaned(error.message || error.name));
  const line = message.startsWith(code) ? message : code + message;
  return `sallyport: stopped by an unexpected error: ${line} (SALLYPORT_DEBUG=1 shows where)`;
}
