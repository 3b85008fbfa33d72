/** Notices when Immich stops or starts working, and advises the operator. */
import type { Log } from './log.ts'

/** A failure of fetch. Its `cause` is the real reason, with `errors` if the host has several addresses. */
type Failure = Error & { code?: string, errors?: Error[] }

/** Advice by the scheme, the code, the name and the message of a failure; the first match counts. */
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/,
    'its name cannot be resolved here: check IMMICH_URL, and that both containers are in one network'],
  [/ECONNREFUSED.*(127\.0\.0\.1|::1|localhost)/,
    'nothing listens there; in a container, localhost is the container: use the name or address of Immich'],
  [/ECONNREFUSED/,
    'nothing listens there: is Immich running, and is the port right? Inside Docker it is 2283'],
  [/Timeout|ETIMEDOUT/i, 'no response in time: is Immich busy, or is a firewall in the way?'],
  [/WRONG_VERSION|wrong version/, 'that port does not speak https: write http:// in IMMICH_URL'],
  [/CERT_HAS_EXPIRED/, 'its certificate has expired: renew it'],
  [/CERT_NOT_YET_VALID/, 'its certificate is not valid yet: is the clock of this machine right?'],
  [/ALTNAME_INVALID/, 'its certificate is for another name: use that name in IMMICH_URL'],
  [/ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED)|^https: HTTP_400/,
    'usually it asks for a client certificate (mTLS): IMMICH_URL must reach Immich directly'],
  [/UNRECOGNIZED_NAME|ALERT_(INTERNAL_ERROR|HANDSHAKE_FAILURE)/,
    'it has no certificate for this name: use the name of its certificate in IMMICH_URL'],
  [/CERT|SSL|TLS|SELF_SIGNED/i, 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS'],
  [/Redirected/,
    'a login page or another server answers in its place: IMMICH_URL must reach Immich directly'],
  [/HTTP_400/, 'usually that port expects https: write https:// in IMMICH_URL'],
  [/HTTP_40[13]/,
    'usually a login page or an access rule in front of Immich: IMMICH_URL must reach Immich directly'],
  [/HTTP_(408|425|429)/,
    'usually a rate limit in front of Immich: exempt this program, or reach Immich directly'],
  [/HTTP_500/, 'Immich itself failed: look at its log, and check that its database runs'],
  [/HTTP_50[234]/, 'usually a reverse proxy: Immich behind it is starting, stopped or overloaded'],
  [/buckets answered 200/,
    'usually an album with photos of more than 1,200 different months: correct their dates in Immich'],
  [/HTTP_|NotImmich|HTTPParser|HEADERS_OVERFLOW|bad upgrade/,
    'another program, or this one, answers there: IMMICH_URL must lead to Immich: http://immich-server:2283'],
  [/^https: .*(UND_ERR_SOCKET|ECONNRESET|EPIPE)/,
    'it closed the connection: is it restarting, or does it ask for a client certificate (mTLS)?'],
  [/UND_ERR_SOCKET|ECONNRESET|EPIPE/, 'it closed the connection: is it restarting, or does it expect https?'],
  [/bad port/, 'Node.js refuses to connect to that port: let Immich listen on another'],
  [/./, 'check IMMICH_URL']
]

/** Advice on a failure. `code` holds its code and name, `failed` its message. */
function adviseOn (url: string, code: string, failed: string): string | undefined {
  const { protocol, hostname, pathname } = new URL(url)
  const target = URL.parse(/^it redirects to (\S+)$/.exec(failed)?.[1] ?? '')
  const isSentToHttps = protocol === 'http:' && target?.protocol === 'https:' &&
    target.hostname === hostname && target.pathname.includes('/api/')
  if (isSentToHttps) return `it wants https: write ${target.origin} in IMMICH_URL`
  const hasPath = pathname !== '/' && /HTTP_(?:200|404)/.test(code)
  if (hasPath) return `usually Immich has no such path: take ${pathname} out of IMMICH_URL`
  return ADVICE.find(([pattern]) => pattern.test(`${protocol} ${code} ${failed}`))?.[1]
}

/** The reason within an OpenSSL error message, without the source location around it. */
function reasonIn (message: string): string {
  const [, kind, , , , reason = ''] = message.split(':')
  return kind === 'error' ? reason : message.trim()
}

export type Report = (error?: Error) => void
/** Takes note of a response (no error) or a failure, and logs each change from one to the other. */
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
      const failed = errors?.map(({ message }) => message).join(', ') || reasonIn(message)
      const advice = adviseOn(url, `${code ?? ''} ${name}`.trim(), failed)
      log.error('Immich is unavailable', { url, failed, code: code ?? name, advice })
    }
  }
}
