// A person at a terminal: their own credentials, signed in through the portal as their browser would.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Visitor } from '#bin/demo/visitor';
import { ROOT, type StoryInstallation } from '../installation.ts';
import { Part } from '../part.ts';

const LAUNCHER = join(ROOT, 'bin/sallyport.js');

export class Person {
  readonly home: string;
  readonly visitor: Visitor;
  readonly #installation: StoryInstallation;
  readonly #name: string;
  readonly #further: readonly string[];

  /** `further`: more of their environment, `NAME=value`. */
  constructor(installation: StoryInstallation, name: string, further: readonly string[] = []) {
    this.#installation = installation;
    this.#name = name;
    this.#further = further;
    this.home = installation.path(`home-${name}`);
    mkdirSync(this.home, { recursive: true });
    this.visitor = installation.visitor();
  }

  /** What stands before a command of this person's. */
  get environment(): string[] {
    return [`XDG_CONFIG_HOME=${this.home}`, ...this.#further];
  }

  /** A `sallyport` command of theirs, under way. */
  run(...args: readonly string[]): Part {
    const command = [...this.environment, process.execPath, LAUNCHER, ...args];
    const log = this.#installation.path(`${this.#name}-${args[0]}.log`);
    const part = new Part(args[0] ?? '', 'env', command, { cwd: this.#installation.directory, log });
    this.#installation.atEnd(() => part.stop());
    return part;
  }

  /** Signs in at the portal and approves a command line there; answers what that command line said. */
  async login(): Promise<Part> {
    const { portal } = this.#installation;
    await this.visitor.signIn(`${portal}/`, this.#name, 'key');
    const ca = 'state/development-ca/ca.pem';
    const command = this.run('login', '--portal', portal, '--ca', ca, '--no-browser');
    const [, url = '', number = ''] = await command.said(/(https:\S+)\n.*number (\d{3} \d{3})/);
    const { status, body } = await this.visitor.visit(url);
    assert.equal(status, 200, body);
    assert.ok(body.includes(number), 'the page shows the number that the terminal shows');
    const fields = [...body.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    const approved = await this.visitor.ask(`${portal}/cli`, {
      method: 'POST',
      headers: { origin: portal, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    });
    assert.equal(approved.status, 302, approved.body);
    const back = await fetch(String(approved.headers['location']));
    assert.equal(back.status, 200);
    return command;
  }
}
