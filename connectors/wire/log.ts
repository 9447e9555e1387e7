// What a connector says of itself while it runs.

/** The part of a pino logger that a connector uses. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
