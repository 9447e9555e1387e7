// The one style sheet of our own pages, light and dark. It stands in each page, allowed there by its hash.

export const STYLE: string = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f4f5f7, #14161a);
  --sheet: light-dark(#ffffff, #1d2026);
  --ink: light-dark(#1b1f27, #e8eaee);
  --soft: light-dark(#565e6c, #a3abb9);
  --line: light-dark(#d9dde3, #343944);
  --accent: light-dark(#1f4fd8, #8fb0ff);
  --on-accent: light-dark(#ffffff, #0f1a36);
  --good: light-dark(#17693a, #7bd69c);
  --bad: light-dark(#a32014, #ff9d8f);
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: grid; grid-template-rows: auto 1fr auto;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
header, main, footer { width: min(60rem, 100% - 2.5rem); margin-inline: auto; }
header { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 1rem; padding-block: 1.1rem; }
header a.brand { display: flex; align-items: center; gap: .55rem; color: inherit; text-decoration: none; font-weight: 650; }
header svg { width: 1.5rem; height: 1.5rem; color: var(--accent); }
header .who { display: flex; align-items: center; gap: .8rem; color: var(--soft); font-size: .92rem; }
header .button, header .brand { white-space: nowrap; }
main { padding-block: 1.5rem 3rem; }
main.narrow { width: min(34rem, 100% - 2.5rem); align-self: center; }
footer { padding-block: 1rem 1.4rem; color: var(--soft); font-size: .85rem; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 1.6rem 0 .6rem; }
p { margin: 0 0 .9rem; }
.soft { color: var(--soft); }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: .9rem; padding: 2rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); gap: 1rem; list-style: none; margin: 1.2rem 0 0; padding: 0; }
.card { display: block; height: 100%; background: var(--sheet); border: 1px solid var(--line); border-radius: .8rem; padding: 1.1rem 1.2rem; color: inherit; text-decoration: none; }
.card:hover { border-color: var(--accent); }
.card strong { display: block; margin-bottom: .15rem; }
.card code { display: block; margin-top: .35rem; }
.card .state { display: block; margin-top: .6rem; font-size: .85rem; color: var(--soft); }
.button, button {
  display: inline-block; font: inherit; font-weight: 600; cursor: pointer; text-decoration: none;
  padding: .6rem 1.1rem; border-radius: .6rem; border: 1px solid var(--accent);
  background: var(--accent); color: var(--on-accent);
}
button.quiet, .button.quiet { background: transparent; color: var(--accent); border-color: var(--line); padding: .35rem .8rem; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .7rem; margin-top: 1.3rem; }
.actions .quiet { padding: .6rem 1.1rem; }
.stack > * { display: block; width: 100%; text-align: center; margin-top: .7rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.checks { list-style: none; margin: .4rem 0 0; padding: 0; }
.checks li { display: flex; gap: .6rem; padding: .45rem 0; border-top: 1px solid var(--line); }
.checks .mark { font-weight: 700; flex: none; width: 1.2em; text-align: center; }
.checks .met .mark { color: var(--good); }
.checks .unmet .mark { color: var(--bad); }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.reference { margin-top: 1.4rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .88rem; color: var(--soft); }
form { margin: 0; }
.number { font: 650 2rem ui-monospace, monospace; letter-spacing: .12em; }
@media (max-width: 30rem) { .sheet { padding: 1.4rem; } }
`;
