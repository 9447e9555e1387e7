// The pages people see, as functions of what they show. They hold no logic and learn nothing by themselves.
import { html } from 'hono/html';
import type { Denial } from './denial.ts';
import { type Html, page } from './page.ts';

export interface AppCard {
  readonly name: string;
  readonly description: string;
  /** Where it is, or how to reach it from a terminal. */
  readonly href?: string;
  readonly command?: string;
  /** One line below: what is needed first, or that the app is offline. */
  readonly state: string;
}

export function homePage(portal: string, who: string, cards: readonly AppCard[]): Promise<string> {
  const list =
    cards.length === 0
      ? html`<p class="soft">No app is open to you yet. Your administrator grants access by group.</p>`
      : html`<ul class="cards">${cards.map(cardOf)}</ul>`;
  return page({ title: 'Your apps', who, portal, body: html`<h1>Your apps</h1>${list}` });
}

function cardOf({ name, description, href, command, state }: AppCard): Html {
  const how = command === undefined ? '' : html`<code>${command}</code>`;
  const inside = html`<strong>${name}</strong><span class="soft">${description}</span>${how}<span class="state">${state}</span>`;
  return href === undefined
    ? html`<li><div class="card">${inside}</div></li>`
    : html`<li><a class="card" href="${href}">${inside}</a></li>`;
}

export function signInPage(
  portal: string,
  providers: readonly { readonly name: string; readonly href: string }[],
): Promise<string> {
  const buttons = providers.map(
    ({ name, href }) => html`<a class="button" href="${href}">Continue with ${name}</a>`,
  );
  const body = html`<div class="sheet"><h1>Sign in</h1><p class="soft">Use your organisation’s account to reach your apps.</p><div class="stack">${buttons}</div></div>`;
  return page({ title: 'Sign in', portal, narrow: true, body });
}

export function signOutPage(portal: string, who: string): Promise<string> {
  const body = html`<div class="sheet"><h1>Sign out?</h1><p>You are signed in as <strong>${who}</strong>. Signing out ends your session in every app at once.</p><form method="post" action="${portal}/sign-out" class="actions"><button type="submit">Sign out</button><a class="button quiet" href="${portal}/">Stay signed in</a></form></div>`;
  return page({ title: 'Sign out', who, portal, narrow: true, body });
}

export function signedOutPage(portal: string, providerSignOut: string | undefined): Promise<string> {
  const further =
    providerSignOut === undefined
      ? ''
      : html`<a class="button quiet" href="${providerSignOut}">Sign out of the identity provider too</a>`;
  const body = html`<div class="sheet"><h1>You are signed out</h1><p>Your session has ended in every app.</p><div class="actions"><a class="button" href="${portal}/sign-in">Sign in again</a>${further}</div></div>`;
  return page({ title: 'Signed out', portal, narrow: true, body });
}

/** Asks whether the command line that shows `number` may act for the person. `fields` go back with the form. */
export function approvePage(
  portal: string,
  who: string,
  number: string,
  fields: Readonly<Record<string, string>>,
): Promise<string> {
  const hidden = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const body = html`<div class="sheet"><h1>Let a terminal in?</h1><p>A command line on this computer asks to act as <strong>${who}</strong>. Go on only if you just ran <code>sallyport login</code> and it shows this number:</p><p class="number">${number}</p><form method="post" action="${portal}/cli" class="actions">${hidden}<button type="submit">It shows ${number}: let it in</button><a class="button quiet" href="${portal}/">No</a></form></div>`;
  return page({ title: 'Let a terminal in?', who, portal, narrow: true, body });
}

/** A page with one message: for what went wrong, and what to do about it. */
export function messagePage(
  portal: string,
  message: { readonly title: string; readonly text: string; readonly reference?: string | undefined },
  action?: { readonly label: string; readonly href: string },
): Promise<string> {
  const { title, text, reference } = message;
  const button =
    action === undefined
      ? ''
      : html`<div class="actions"><a class="button" href="${action.href}">${action.label}</a></div>`;
  const body = html`<div class="sheet"><h1>${title}</h1><p>${text}</p>${button}${referenceOf(reference)}</div>`;
  return page({ title, portal, narrow: true, body });
}

/** For an address of ours that leads nowhere. */
export function nothingHere(portal: string): Promise<string> {
  const message = { title: 'Nothing here', text: 'There is no such page.' };
  return messagePage(portal, message, { label: 'Your apps', href: `${portal}/` });
}

export function deniedPage(portal: string, who: string, denial: Denial): Promise<string> {
  const checks = denial.checks.map(
    ({ met, text, found }) =>
      html`<li class="${met ? 'met' : 'unmet'}"><span class="mark" aria-hidden="true">${met ? '✓' : '✕'}</span><span>${met ? '' : html`<strong>${found === true ? 'Found' : 'Missing'}: </strong>`}${text}</span></li>`,
  );
  const list = checks.length === 0 ? '' : html`<h2>What was checked</h2><ul class="checks">${checks}</ul>`;
  const todo =
    denial.steps.length === 0
      ? ''
      : html`<h2>What to do</h2><ol class="steps">${denial.steps.map((one) => html`<li>${withCode(one)}</li>`)}</ol>`;
  const action =
    denial.action === undefined
      ? ''
      : html`<a class="button" href="${denial.action.href}">${denial.action.label}</a>`;
  const body = html`<div class="sheet"><h1>${denial.title}</h1><p>${denial.sentence}</p>${list}${todo}<div class="actions">${action}<a class="button quiet" href="${portal}/">Your apps</a></div>${referenceOf(denial.reference)}</div>`;
  return page({ title: denial.title, who, portal, narrow: true, body });
}

/** Text in which what stands between backticks is for a terminal. */
function withCode(text: string): (Html | string)[] {
  return text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}

/** Asks on which of their devices a person's browser is, or says that none answers. */
export function chooseDevicePage(
  portal: string,
  choices: readonly { readonly name: string; readonly href: string }[],
): Promise<string> {
  if (choices.length === 0) {
    const body = html`<div class="sheet"><h1>No device answers</h1><p>None of your devices has proved its state lately. On this computer:</p><ol class="steps"><li>If it is new to your organisation, ask your administrator for a token and run <code>sallyport device enrol --token-file FILE</code>.</li><li>Run <code>sallyport login --portal ${portal}</code>.</li><li>Run <code>sallyport device agent</code> and leave it running.</li></ol><div class="actions"><a class="button" href="">Try again</a></div></div>`;
    return page({ title: 'No device answers', portal, narrow: true, body });
  }
  const buttons = choices.map(({ name, href }) => html`<a class="button" href="${href}">${name}</a>`);
  const body = html`<div class="sheet"><h1>Which device is this?</h1><p class="soft">Only the one you are sitting at can answer.</p><div class="stack">${buttons}</div></div>`;
  return page({ title: 'Which device is this?', portal, narrow: true, body });
}

function referenceOf(reference: string | undefined): Html | string {
  return reference === undefined
    ? ''
    : html`<p class="reference">If you ask for help, quote this reference:<br><code>${reference}</code></p>`;
}
