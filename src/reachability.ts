/** Notices when Immich stops or starts working, and advises the operator. */
import type { Log } from './log.ts'

/** A failure of fetch. Its `cause` is the real reason, with `errors` if the host has several addresses. */
type Failure = Error & { code?: string, errors?: Error[] }

/** Advice for a failure with this code, name or message; the first match counts. */
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/, 'its name cannot be resolved here: check IMMICH_URL and the network'],
  [/ECONNREFUSED.*(127\.0\.0\.1|::1|localhost)/,
    'nothing listens there; in a container, localhost is the container: use the name or address of Immich'],
  [/ECONNREFUSED/, 'nothing listens there: is Immich running, is the port right?'],
  [/Timeout|ETIMEDOUT/i, 'no answer in time: is Immich busy, or is a firewall in the way?'],
  [/WRONG_VERSION|wrong version/, 'that port does not speak https: write http:// in IMMICH_URL'],
  [/CERT_HAS_EXPIRED/, 'its certificate has expired: renew it'],
  [/CERT_NOT_YET_VALID/, 'its certificate is not valid yet: is the clock right here?'],
  [/ALTNAME_INVALID/, 'its certificate is for another name: use that name in IMMICH_URL'],
  [/CERT|SSL|TLS|SELF_SIGNED/i, 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS'],
  [/Redirected/,
    'a login page or another server answers in its place: IMMICH_URL must reach Immich directly'],
  [/HTTP_40[13]/,
    'usually a login page or an access rule in front of Immich: IMMICH_URL must reach Immich directly'],
  [/HTTP_(408|425|429)/,
    'usually a rate limit in front of Immich: exempt this program, or reach Immich directly'],
  [/HTTP_500/, 'Immich itself failed: look at its log, and check that its database runs'],
  [/HTTP_50[234]/, 'usually a reverse proxy whose Immich is starting, stopped or overloaded'],
  [/HTTP_|NotImmich|HTTPParser|HEADERS_OVERFLOW|bad upgrade/,
    'another program answers there: IMMICH_URL must lead to Immich, such as http://immich-server:2283'],
  [/UND_ERR_SOCKET|ECONNRESET|EPIPE/, 'it closed the connection: is it restarting, or does it expect https?'],
  [/./, 'check IMMICH_URL']
]

/** Advice on a failure. `code` holds its code and name, `failed` its message. */
function adviseOn (url: string, code: string, failed: string): string | undefined {
  const secureUrl = url.replace(/^http:/, 'https:')
  const isSentToHttps = code.startsWith('Redirected') && failed.includes(`${secureUrl}/api/`)
  if (isSentToHttps) return 'it wants https: write https:// in IMMICH_URL'
  return ADVICE.find(([pattern]) => pattern.test(`${code} ${failed}`))?.[1]
}

export type Report = (error?: Error) => void
/** Takes note of an answer (no error) or a failure, and logs each change from one to the other. */
export function createReachability (url: string, log: Log): Report {
  let downSince: number | undefined
  return error => {
    if (!error && downSince !== undefined) {
      const afterSeconds = Math.round((performance.now() - downSince) / 1000)
      log.info('Immich is available again', { url, afterSeconds })
      downSince = undefined
    }
    if (error && downSince === undefined) {
      downSince = performance.now()
      const { code, name, message, errors } = (error.cause ?? error) as Failure
      const failed = (errors?.map(({ message }) => message).join(', ') || message).trim()
      const advice = adviseOn(url, `${code ?? ''} ${name}`.trim(), failed)
      log.error('Immich is unavailable', { url, failed, code: code ?? name, advice })
    }
  }
}
