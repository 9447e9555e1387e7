// What was typed does not make a command of `sallyport ca`.

export class UsageError extends Error {}
