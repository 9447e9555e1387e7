// Conditions of KQL, EQL and ES|QL, as far as our rules use them. What it cannot read is an error, never a no.

/** The values of a field in one document or row. */
export type Row = (field: string) => readonly unknown[];

export function words(text: string): string[] {
  return text.match(/"[^"]*"|[(),]|[<>=]=|[:<>]|[^\s(),:<>="]+/g) ?? [];
}

/** Whether a condition holds. `now`: epoch milliseconds. */
export function truth(text: string, row: Row, now: number): boolean {
  const reader = new Reader(words(text), row, now);
  const value = reader.either();
  reader.end();
  return value;
}

/** The value of a sum. */
export function sumOf(tokens: readonly string[], row: Row, now: number): unknown {
  const reader = new Reader(tokens, row, now);
  const value = reader.sum();
  reader.end();
  return value;
}

const UNITS: Readonly<Record<string, number>> = { minutes: 60_000, hours: 3_600_000 };

class Reader {
  readonly #words: readonly string[];
  readonly #row: Row;
  readonly #now: number;
  #at = 0;

  constructor(tokens: readonly string[], row: Row, now: number) {
    this.#words = tokens;
    this.#row = row;
    this.#now = now;
  }

  end(): void {
    if (this.#at !== this.#words.length)
      throw new Error(`cannot read ${this.#words.slice(this.#at).join(' ')}`);
  }

  either(): boolean {
    let value = this.#both();
    while (this.#takes('or')) value = this.#both() || value;
    return value;
  }

  #both(): boolean {
    let value = this.#term();
    while (this.#takes('and')) value = this.#term() && value;
    return value;
  }

  #term(): boolean {
    if (this.#takes('not')) return !this.#term();
    if (this.#takes('(')) {
      const value = this.either();
      this.#must(')');
      return value;
    }
    if (this.#words[this.#at + 1] === ':') return this.#kql();
    const many = this.#row(this.#words[this.#at] ?? '');
    const left = this.sum();
    if (this.#takes('is')) {
      this.#must('not');
      this.#must('null');
      return left !== undefined;
    }
    const operator = this.#next();
    const right = this.sum();
    // A field with several values holds if one of them does.
    const lefts = many.length > 1 && left === many[0] ? many : [left];
    return lefts.some((one) => this.#compare(one, operator, right));
  }

  #compare(left: unknown, operator: string, right: unknown): boolean {
    if (left === undefined || right === undefined) return false;
    if (operator === '==') return left === right;
    const [a, b] = [numberOf(left), numberOf(right)];
    if (operator === '<') return a < b;
    if (operator === '>') return a > b;
    if (operator === '>=') return a >= b;
    throw new Error(`the operator ${operator} is not known here`);
  }

  #kql(): boolean {
    // A KQL value has no quotes of its own type: `true` and `3` stand for what they say.
    const values = this.#row(this.#next()).map(String);
    this.#must(':');
    const wanted = [];
    if (this.#takes('(')) {
      do wanted.push(this.#next());
      while (this.#takes('or'));
      this.#must(')');
    } else {
      wanted.push(this.#next());
    }
    return wanted.some((one) => (one === '*' ? values.length > 0 : values.includes(one.replaceAll('"', ''))));
  }

  sum(): unknown {
    let value = this.#factor();
    for (;;) {
      if (this.#takes('-')) value = numberOf(value) - numberOf(this.#factor());
      else if (this.#takes('+')) value = numberOf(value) + numberOf(this.#factor());
      else return value;
    }
  }

  #factor(): unknown {
    const word = this.#next();
    if (word.startsWith('"')) return word.slice(1, -1);
    if (/^\d+$/.test(word)) {
      const unit = UNITS[this.#words[this.#at] ?? ''];
      if (unit === undefined) return Number(word);
      this.#at += 1;
      return Number(word) * unit;
    }
    if (!this.#takes('(')) return this.#row(word)[0];
    const value = this.#call(word);
    this.#must(')');
    return value;
  }

  #call(name: string): unknown {
    if (name === 'NOW') return this.#now;
    if (name !== 'DATE_EXTRACT') throw new Error(`the function ${name} is not known here`);
    this.#must('"hour_of_day"');
    this.#must(',');
    return new Date(numberOf(this.sum())).getUTCHours();
  }

  #next(): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new Error('the condition ends too early');
    return word;
  }

  #takes(word: string): boolean {
    if (this.#words[this.#at]?.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #must(word: string): void {
    if (!this.#takes(word)) throw new Error(`expected ${word}, found ${this.#words[this.#at] ?? 'the end'}`);
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : Number(value);
}
