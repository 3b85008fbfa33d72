/**
 * Why something is not given. The reason is a value that decides what is answered (`answerRefusal`); the
 * message is for the operator's log and decides nothing. Neither reaches a visitor.
 *
 * missing: not there, or not for this visitor. locked: it needs a password. limited: too much was tried.
 * withheld: the operator's own settings forbid it. unreachable: Immich gives no answer, or a wrong one.
 * failed: it says itself that it failed at this. busy: a limit is reached.
 */
export type Reason = 'missing' | 'locked' | 'withheld' | 'limited' | 'unreachable' | 'failed' | 'busy'

export class Refusal extends Error {
  reason: Reason
  constructor (reason: Reason, message = '') { super(message); this.reason = reason }
}

export const isRefusal = (error: unknown, reason: Reason): boolean =>
  error instanceof Refusal && error.reason === reason
