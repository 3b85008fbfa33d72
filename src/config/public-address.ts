/**
 * Tests the public address of a link for `check`, as a visitor would reach it. It is the only code outside
 * the gate that opens connections. It never runs in the server, and sends nothing to the origin in
 * IMMICH_URL.
 */
import { object, parseJson, text } from '../json.ts'
import { linkPath } from '../urls.ts'
import type { LinkAddress } from '../validate.ts'

type Finding = ['ok' | 'note' | 'WRONG', string, string?]
type Received = { status: number, location: string, body: string }

const TIMEOUT_MS = 10_000
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
/** more than the head of a page, after which nothing is needed */
const MAX_CHARACTERS = 20_000
/** Immich's words for a missing or wrong password; they prove that it has accepted the link's key. */
const PASSWORD_WORDS = ['Password required', 'Invalid password']

/** Resolves with the beginning of a response. Throws if none comes in time. */
async function ask (address: string, headers: Record<string, string> = {}): Promise<Received> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await fetch(address, { headers, redirect: 'manual', signal })
  let body = ''
  const decoder = new TextDecoder()
  for await (const part of response.body ?? []) {
    body += decoder.decode(part, { stream: true })
    if (body.length > MAX_CHARACTERS) break
  }
  return { status: response.status, location: response.headers.get('location') ?? '', body }
}

/** Whether Immich itself opens links here, with the key in the query or in a header. */
async function isImmichOpen (origin: string, link: LinkAddress): Promise<boolean> {
  const [name, value] = 'key' in link ? ['key', link.key] as const : ['slug', link.slug] as const
  const path = `${origin}/api/shared-links/me`
  const responses = [await ask(`${path}?${new URLSearchParams({ [name]: value })}`)]
  // Immich reads this key, but a filter that parses the query may not
  if (name === 'key') responses.push(await ask(`${path}?key=${value}%`))
  // a slug may contain characters that a header cannot
  responses.push(await ask(path, { [`x-immich-share-${name}`]: encodeURIComponent(value) }))
  return responses.some(({ body }) => {
    const { key, message } = object(parseJson(body)) ?? {}
    return text(key) !== '' || PASSWORD_WORDS.includes(text(message))
  })
}

/** Compares the scheme and host that arrive here with the public ones; nothing if the page has none. */
async function inspectForwarding (origin: string, link: LinkAddress): Promise<Finding[]> {
  const { body } = await ask(origin + linkPath(link), { accept: 'text/html' })
  const url = URL.parse(/property="og:url" content="([^"]+)"/.exec(body)?.[1] ?? '')
  if (!url) return []
  if (url.origin === origin) return [['ok', `scheme and host arrive here as ${origin}`]]
  if (url.host === new URL(origin).host) {
    return [['WRONG', `visitors use ${origin}, but the proxy sees ${url.origin}`,
      'let the reverse proxy send X-Forwarded-Proto, and list it in ipp.trustedProxies']]
  }
  return [['note', `previews in chats name ${url.origin} instead of ${origin}`,
    'let the reverse proxy send Host or X-Forwarded-Host, or correct PUBLIC_BASE_URL']]
}

/** The advice where something else answers for this program, by its status. */
function fixFor (status: number): string {
  if (status === 401 || status === 403) return 'exempt /share and /s from a login page or an access rule'
  const isGateway = status >= 502 && status <= 504
  if (isGateway) return 'the reverse proxy does not reach it: check where it sends /share'
  return 'let the reverse proxy send /share and /s here'
}

/** Reports why the address could not be tested: a certificate that browsers refuse, or the network. */
function findingOf (origin: string, { message, cause }: Error): Finding {
  const { code = '', message: reason } = (cause ?? { message }) as NodeJS.ErrnoException
  const problem = `${origin} has a certificate that browsers refuse: ${reason}`
  if (/CERT_HAS_EXPIRED/.test(code)) return ['WRONG', problem, 'renew it']
  if (/ALTNAME_INVALID/.test(code)) return ['WRONG', problem, 'get one for this name']
  if (/CERT|SIGNATURE/.test(code)) {
    return ['note', `the certificate of ${origin} is not trusted here: ${reason}`,
      'let the server send the whole chain; for an authority of your own, set NODE_EXTRA_CA_CERTS']
  }
  if (code === 'ECONNREFUSED' && LOOPBACK.test(new URL(origin).hostname)) {
    return ['WRONG', `nothing listens at ${origin}`,
      'is this the port of the proxy? In a container, localhost is the container']
  }
  return ['note', `${origin} could not be tested from here: ${reason}`,
    'many routers have no NAT loopback, so test it from another network']
}

/** Reports whether the public address of a link leads here, and only here. */
export async function inspectPublicAddress (origin: string, link: LinkAddress): Promise<Finding[]> {
  try {
    const { status, location, body } = await ask(`${origin}/share/alive`)
    if (status >= 300 && status < 400) {
      return [['WRONG', `${origin} redirects visitors to ${URL.parse(location, origin)?.origin ?? location}`,
        'check the address that visitors use, or exempt /share and /s from a login page']]
    }
    if (status !== 200 || body !== 'ok') {
      return [['WRONG', `${origin}/share does not lead to this program (/share/alive answered ${status})`,
        fixFor(status)]]
    }
    const findings: Finding[] = [['ok', `${origin} leads to this program`]]
    findings.push(...await inspectForwarding(origin, link))
    if (await isImmichOpen(origin, link)) {
      findings.push(['WRONG', `Immich's own API opens links at ${origin}/api, so no password protects them`,
        'keep share keys from it, as docs/deployment.md says under "One domain for Immich and the proxy"'])
    }
    return findings
  } catch (error) {
    return [findingOf(origin, error as Error)]
  }
}
