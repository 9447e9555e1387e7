// The table of programs that suites run as real parts; a program that no suite uses must not stay here.

/** A Debian package, one file or program it brings, and who runs it. */
export interface Part {
  readonly package: string;
  readonly program: string;
  readonly suites: string;
}

export const parts: readonly Part[] = [
  { package: 'nginx-light', program: 'nginx', suites: 'story, bench: the app behind a connector' },
  { package: 'chromium', program: 'chromium', suites: 'story: a person at a browser' },
  { package: 'openssl', program: 'openssl', suites: 'gateway/pki: certificates read by other code' },
  { package: 'curl', program: 'curl', suites: 'story: the commands of the documents' },
  { package: 'procps', program: 'ps', suites: 'repository: what a run leaves behind' },
  { package: 'shellcheck', program: 'shellcheck', suites: 'repository: shell scripts and completion' },
  { package: 'zsh', program: 'zsh', suites: 'bin: completion' },
  { package: 'fish', program: 'fish', suites: 'bin: completion' },
];
