/** Notices when Immich stops or starts answering, and advises the operator. */
import type { Log } from './log.ts'

/** A failure of fetch: the real reason is its `cause`; a host with several addresses has one error each. */
type Failure = Error & { code?: string, errors?: Error[] }

/** What to try after a failure with this code, name or message; the first match counts. */
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known here: check IMMICH_URL and the network'],
  [/ECONNREFUSED.*(127\.0\.0\.1|::1|localhost)/,
    'nothing listens there; in a container, localhost is the container itself: use the name or address of Immich'],
  [/ECONNREFUSED/, 'nothing listens there: is Immich running, is the port right?'],
  [/Timeout|ETIMEDOUT/i, 'no answer in time: is Immich busy, or is a firewall in the way?'],
  [/WRONG_VERSION|wrong version/, 'that port does not speak https: write http:// in IMMICH_URL'],
  [/CERT_HAS_EXPIRED/, 'its certificate has expired: renew it'],
  [/ALTNAME_INVALID/, 'its certificate is for another name: use that name in IMMICH_URL'],
  [/CERT|SSL|TLS|SELF_SIGNED/i, 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS'],
  [/Redirected/, 'a login page or another server answers in its place: IMMICH_URL must reach Immich directly'],
  [/NotImmich|HTTPParser|HEADERS_OVERFLOW|bad upgrade/, 'what answers there is not Immich: check IMMICH_URL'],
  [/UND_ERR_SOCKET|ECONNRESET|EPIPE/, 'it closed the connection: is it restarting, or does it expect https?'],
  [/./, 'check IMMICH_URL']
]

export type Report = (error?: Error) => void
/** Takes note of an answer (no error) or a failure, and logs each change from one to the other. */
export function createReachability (url: string, log: Log): Report {
  let isDown = false
  return error => {
    if (!error && isDown) log.info('Immich answers again', { url })
    if (error && !isDown) {
      const { code, name, message, errors } = (error.cause ?? error) as Failure
      const failed = errors?.map(({ message }) => message).join(', ') || message
      const advice = ADVICE.find(([pattern]) => pattern.test(`${code} ${name} ${failed}`))?.[1]
      log.error('Immich cannot be reached', { url, failed, code: code ?? name, advice })
    }
    isDown = error !== undefined
  }
}
