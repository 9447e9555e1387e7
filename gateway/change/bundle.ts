// A change as it travels: a statement, the signatures over its exact text, the files it puts in force, and the objects
// of git that show which commit they are from. What the statement says is true only once `judge` has found it so.
import { hash } from 'node:crypto';
import { z } from 'zod';
import { COMMIT_ID } from './git-objects.ts';
import { ChangeRefusal } from './reasons.ts';

/** What signatures on changes are made for: `ssh-keygen -Y sign -n sallyport-change`. */
export const CHANGE_NAMESPACE = 'sallyport-change';
/** Bytes of the largest bundle: policies of a hundred thousand rules fit. */
export const MAX_BUNDLE: number = 32 * 2 ** 20;
const MAX_SIGNATURES = 64;

/** What is signed. */
export interface Statement {
  readonly version: 1;
  /** Host of the portal: a change for one installation is none for another. */
  readonly gateway: string;
  /** Where it comes from. */
  readonly repository: string;
  readonly branch: string;
  /** Full id. */
  readonly commit: string;
  /** Author and first line of the commit. */
  readonly author: string;
  readonly subject: string;
  /** Counts up from 1. */
  readonly sequence: number;
  /** SHA-256, hex, of the statement before; the first has none. */
  readonly previous?: string | undefined;
  /** By name: `policy`, `signers`, `admins`, `configuration/<gateway>`, `files/<path>`. */
  readonly files: Readonly<Record<string, StatedFile>>;
}

export interface StatedFile {
  /** In the repository. */
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/** A change's parts, none of which is trusted. */
export interface Bundle {
  /** Kept as text: signatures are over these very bytes. */
  readonly statement: string;
  /** Armoured. */
  readonly signatures: readonly string[];
  /** Of the files, by name. */
  readonly contents: Readonly<Record<string, string>>;
  /** Git's commit and trees, base64. */
  readonly objects: readonly string[];
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const word = z.string().min(1).max(512);
const fileName = z.string().regex(/^[a-z][\w/.-]{0,200}$/);

const statementShape: z.ZodType<Statement> = z.strictObject({
  version: z.literal(1),
  gateway: word,
  repository: word,
  branch: word,
  commit: z.string().regex(COMMIT_ID),
  author: word,
  subject: z.string().max(512),
  sequence: z.int().min(1),
  previous: sha256.optional(),
  files: z.record(fileName, z.strictObject({ path: word, sha256 })),
});

const bundleShape: z.ZodType<Bundle> = z.strictObject({
  statement: z.string().max(262_144),
  signatures: z.array(z.string()).max(MAX_SIGNATURES),
  contents: z.record(z.string(), z.string()),
  objects: z.array(z.base64()).max(256),
});

/** A bundle that could be read. */
export interface Change {
  /** SHA-256, hex, of the statement: the name of the change. */
  readonly id: string;
  readonly bundle: Bundle;
  readonly statement: Statement;
}

/** Reads a bundle's text. Throws ChangeRefusal. */
export function readChange(text: string): Change {
  if (Buffer.byteLength(text) > MAX_BUNDLE) throw new ChangeRefusal('too-large', `over ${MAX_BUNDLE} bytes`);
  const bundle = parsed(bundleShape, text);
  const statement = parsed(statementShape, bundle.statement);
  return { id: statementId(bundle.statement), bundle, statement };
}

function statementId(statement: string): string {
  return hash('sha256', statement, 'hex');
}

/** The text of a bundle, as it is written to a file. */
export function writeBundle(bundle: Bundle): string {
  return `${JSON.stringify(bundle, null, 1)}\n`;
}

function parsed<T>(shape: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ChangeRefusal('malformed', 'it is not JSON');
  }
  const result = shape.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new ChangeRefusal('malformed', `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
  }
  return result.data;
}
