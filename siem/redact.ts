// Takes out of free text what looks like a secret: a last net under code that must not log secrets to begin with.

/** What stands in the place of a secret. */
export const HIDDEN = '[hidden]';

/**
 * Each begins where a word begins and looks at it once: text may come from strangers, and a shape that begins anew at
 * every hyphen takes seconds for 64 KiB of them.
 */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, HIDDEN],
  // JSON Web Tokens, signed or not.
  [/(?<![\w-])(?=[\w-]+\.[\w-])([\w-]*?)eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, `$1${HIDDEN}`],
  [/\b(bearer|basic|digest|dpop|splunk|apikey)\s+[\w+/=.~-]{6,}/gi, `$1 ${HIDDEN}`],
  [
    /(?<![\w-])([\w-]*(?:password|passwd|secret|token|cookie|authorization|api[_-]?key))(["']?\s*[=:]\s*["']?)[^\s"',;&}]+/gi,
    `$1$2${HIDDEN}`,
  ],
  [/(\/\/)[^\s/@]+@/g, `$1${HIDDEN}@`],
];

/** Names of fields whose value is a secret whatever it looks like. */
const SECRET_NAME =
  /(?:password|passwd|secret|token|cookie|authorization|credential|private_?key|api_?key)$/i;

/** `text` without tokens, keys, passwords and credentials in URLs. */
export function withoutSecrets(text: string): string {
  return SHAPES.reduce((clean, [shape, instead]) => clean.replace(shape, instead), text);
}

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}
