// Help of the policy subcommands in one place, so that asking for help loads nothing else.

const CODES = 'Exit codes: 0 fine, 1 something was found, 2 wrong usage or input that cannot be read.';

export const HELP: Readonly<Record<string, string>> = {
  check: `Usage: sallyport policy check FILE [--strict] [--json]

Reports every mistake in a document at once, each with line, column and what was probably meant; runs its tests;
lists rules that do nothing.

Options:
  --strict  Warnings and rules that do nothing count as found
  --json    Print {"ok", "hash", "problems", "warnings", "tests", "lint"} as one line

${CODES}

Example: sallyport policy check policy.yaml
`,
  test: `Usage: sallyport policy test FILE [--json]

Runs the tests in the document's \`tests:\` and shows each one that fails with what it expected and got.

Options:
  --json  Print {"passed", "failed", "results"} as one line

${CODES}

Example: sallyport policy test policy.yaml
`,
  explain: `Usage: sallyport policy explain FILE (--request TEXT | --decision ID --state DIR) [--at TIME] [--json]

Decides a request and shows why: the nearest rules with what they ask and what the request had, and the smallest
change that would allow it. Exits 0 when it is allowed and 1 when it is denied.

Options:
  --request TEXT  A request as in the document's \`tests:\`, e.g. '{ app: wiki, groups: idp:staff, mfa: 9h }'
  --decision ID   A recorded decision, decided again by this document
  --state DIR     The gateway's state directory, which holds the records
  --at TIME       When the request happens (default: now, or when it was recorded)
  --json          Print {"request", "explanation"} as one line

${CODES}

Example: sallyport policy explain policy.yaml --request '{ app: wiki, groups: idp:staff }'
`,
  reach: `Usage: sallyport policy reach FILE (--app APP | --user ID | --group GROUP | --service ID) [--json]

Who can reach an app, or which apps somebody can reach, by which rule and under what conditions. Rules that a deny
always overrides are left out.

Options:
  --app APP      All ways into one app
  --user ID      A person, by id or e-mail address; add --group for each provider's group they are in
  --group GROUP  Somebody in this group of a provider, like idp:staff; can be given several times
  --role ROLE    A role they have; can be given several times
  --service ID   A service, by SPIFFE id or enrolled name
  --json         Print {"ways"} as one line

${CODES}
Here 1 means that nothing can be reached.

Example: sallyport policy reach policy.yaml --app wiki
`,
  lint: `Usage: sallyport policy lint FILE [--state DIR [--since 30d]] [--json]

Finds rules that never fire, that another rule covers, that have ended, or that no test (and, with --state, no
recorded request) matches.

Options:
  --state DIR   Also look at the decisions recorded in this gateway's state directory
  --since TIME  Only at those since then: 30d, 12h, or a date (default 30d)
  --json        Print {"findings", "warnings"} as one line

${CODES}

Example: sallyport policy lint policy.yaml
`,
  diff: `Usage: sallyport policy diff BEFORE AFTER [--json]

Shows which rules and definitions were written differently, and who gains or loses access: decisions of both
documents are compared for requests at the edges of every rule. Finding none is evidence, not proof; \`replay\` adds
what really happened.

Options:
  --json  Print {"rules", "definitions", "apps", "decisions", "probes"} as one line

${CODES}
Here 1 means that decisions differ.

Example: sallyport policy diff policy.yaml new-policy.yaml
`,
  replay: `Usage: sallyport policy replay FILE --state DIR [--since 30d] [--json]

Decides recorded requests again with a new document and shows who gains and who loses access, by which rule, and
what its shadow rules would have done.

Options:
  --state DIR   The gateway's state directory, which holds the records; a copy will do
  --since TIME  Only requests since then: 30d, 12h, or a date (default 30d)
  --json        Print {"requests", "unreadable", "unchanged", "gains", "losses", "shadow", "hit"} as one line

${CODES}
Here 1 means that decisions differ.

Example: sallyport policy replay new-policy.yaml --state ./state --since 7d
`,
  promote: `Usage: sallyport policy promote FILE RULE [--write] [--json]

Puts a shadow rule in force: takes \`mode: shadow\` out of it, checks the whole document again, its tests included,
and prints it. Comments and order stay as they are.

Options:
  --write  Write the document back instead of printing it
  --json   Print {"rule", "hash", "written"} as one line

${CODES}

Example: sallyport policy promote policy.yaml contractors-out --write
`,
};
