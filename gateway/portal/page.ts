// The frame around every page of ours, and the headers each is served with: strict CSP, no script at all. A page brings
// all that it needs to look right: it may be shown at a host where there is nothing else of ours.
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import { ICON } from './icon.ts';
import { STYLE } from './style.ts';

/** What hono's `html` tag gives: escaped text, ready to be put into other templates. */
export type Html = ReturnType<typeof html>;

/** For every answer of our own, page or API (OWASP ASVS 5.0, V3.4). */
export const OWN_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=()',
  'Cache-Control': 'no-store',
};

export interface Frame {
  readonly title: string;
  readonly body: Html;
  /** The signed-in person's name; shows the way out. */
  readonly who?: string | undefined;
  /** The portal's origin: where the brand leads and the sign-out form goes. */
  readonly portal: string;
  readonly narrow?: boolean;
}

/** A whole HTML document. */
export async function page(frame: Frame): Promise<string> {
  const { title, body, who, portal, narrow = false } = frame;
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Sallyport</title>
<style>${raw(STYLE)}</style>
<link rel="icon" href="${ICON}">
</head>
<body>
<header>
<a class="brand" href="${portal}/"><svg width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true"><path d="M4 21V9a8 8 0 0 1 16 0v12M9 21v-9a3 3 0 0 1 6 0v9M2 21h20"/></svg>Sallyport</a>
${who === undefined ? '' : html`<div class="who"><span>Signed in as <strong>${who}</strong></span><a class="button quiet" href="${portal}/sign-out">Sign out</a></div>`}
</header>
<main${narrow ? html` class="narrow"` : ''}>${body}</main>
<footer>Every request is checked, and every decision recorded.</footer>
</body>
</html>
`;
  return String(await document);
}
