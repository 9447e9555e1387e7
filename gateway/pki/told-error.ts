// An error of the issuing process on its way to the gateway: without its stack, and never with its cause, which might
// hold more than its message.
import { StateError } from '#gateway/state/error';
import { LooseModeError } from '#gateway/state/private-files';
import { AuthorityError } from './ca-certificate.ts';
import { IssueError } from './issued.ts';
import { SignerError } from './signer/signer.ts';

export interface ToldError {
  readonly name: string;
  readonly code?: string | undefined;
  readonly message: string;
  /** What the system refused, and where: for the words that are told of it. */
  readonly syscall?: string | undefined;
  readonly path?: string | undefined;
}

export function told(error: unknown): ToldError {
  const { name, message, code, syscall, path } = error as NodeJS.ErrnoException;
  return { name, message, code, syscall, path };
}

/** The error as ours, so that whoever asked can tell what to do. */
export function rebuilt({ name, code, message, syscall, path }: ToldError): Error {
  if (name === 'IssueError') return new IssueError(code as IssueError['code'], message);
  if (name === 'SignerError') return new SignerError(code as SignerError['code'], message);
  if (name === 'AuthorityError') return new AuthorityError(code as AuthorityError['code'], message);
  if (code === 'loose-mode') return new LooseModeError(message);
  if (code === 'state-conflict' || code === 'state-sealed') return new StateError(code, message);
  return syscall === undefined
    ? new Error(message)
    : Object.assign(new Error(message), { code, syscall, path });
}
