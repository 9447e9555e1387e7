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
}

export function told(error: unknown): ToldError {
  const { name, message, code } = error as Error & { code?: string };
  return { name, message, code };
}

/** The error as ours, so that whoever asked can tell what to do. */
export function rebuilt({ name, code, message }: ToldError): Error {
  if (name === 'IssueError') return new IssueError(code as IssueError['code'], message);
  if (name === 'SignerError') return new SignerError(code as SignerError['code'], message);
  if (name === 'AuthorityError') return new AuthorityError(code as AuthorityError['code'], message);
  if (code === 'loose-mode') return new LooseModeError(message);
  if (code === 'state-conflict' || code === 'state-sealed') return new StateError(code, message);
  return new Error(message);
}
