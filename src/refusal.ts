/** Why a request is refused. The reason decides the response; the message is for the operator's log only. */

/**
 * - `missing`: not there, or not for this visitor
 * - `locked`: needs a password
 * - `withheld`: the operator's settings forbid it
 * - `limited`: too many wrong passwords or unknown links
 * - `busy`: a limit of this program is reached
 * - `unreachable`: Immich does not answer, or something else answers in its place
 * - `failed`: Immich answers that it failed
 */
type Reason = 'missing' | 'locked' | 'withheld' | 'limited' | 'busy' | 'unreachable' | 'failed'

export class Refusal extends Error {
  reason: Reason
  /** seconds until it is worth trying again, where that is known */
  retryAfter: number | undefined
  constructor (reason: Reason, message = '', retryAfter?: number) {
    super(message)
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

export const isRefusal = (error: unknown, reason: Reason): boolean =>
  error instanceof Refusal && error.reason === reason
