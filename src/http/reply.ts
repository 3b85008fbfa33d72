/**
 * Writes every response. A handler returns a `Reply`. `ReplyWriter` alone writes status and headers, decides
 * whether the visitor already has it (304), and streams the content.
 */
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Body } from '../body.ts'
import { createCacheControl, OTHER_CACHE_HEADERS, type Cacheable } from './cache-control.ts'
import { encode, type Text } from './compression.ts'

type Kind = Cacheable['kind']
export type Headers = Record<string, string | number | string[] | undefined>
/** A file: its content in `body` or `bytes`, or none for a HEAD. An `etag` of '' means none. */
type File = {
  type: string, etag: string, body?: Body, bytes?: Uint8Array, length?: number, contentRange?: string
}
/** A response. Without a `share`, only static files may be cached. */
export type Reply = Cacheable & { headers?: Headers, content?: Text | File }
/** The fields of a visitor that the writer reads. */
type Requester = { address: string, ifNoneMatch?: string, acceptEncoding: string }

/** Headers of every response, by its kind. */
const ALWAYS: Record<Kind, Headers> = {
  page: {
    'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; " +
      "img-src 'self' data:; media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; " +
      "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types default",
    'cross-origin-opener-policy': 'same-origin', 'x-frame-options': 'DENY',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    vary: 'accept, accept-encoding, accept-language, cookie'
  },
  data: {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    vary: 'accept-encoding, cookie'
  },
  media: {
    'content-security-policy':
      "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
  },
  static: { 'content-security-policy': "default-src 'none'", vary: 'accept-encoding' }
}

/** Whether the visitor has this version already (RFC 9110 section 13.1.2). */
function isUnchanged (etag: string | undefined, ifNoneMatch: string | undefined): boolean {
  if (!etag || !ifNoneMatch) return false
  // within its quotation marks, a tag cannot be a part of another one
  return ifNoneMatch.trim() === '*' || ifNoneMatch.includes(etag.replace(/^W\//, ''))
}

/** A transfer was interrupted because its body was; the message says why. */
export class BrokenTransfer extends Error {}

/**
 * Sends a body as fast as the visitor reads it, and cancels it if the visitor leaves. Throws a BrokenTransfer
 * if the body is interrupted.
 */
async function pump (response: ServerResponse, body: Body): Promise<void> {
  let proceed = () => {}
  response.on('drain', () => proceed()).on('close', () => { body.cancel(); proceed() })
  // the first byte of a resumed zip may take long, but a proxy in front waits only a minute for the headers
  response.flushHeaders()
  try {
    for await (const part of body.parts) {
      const isTaken = response.write(part) || response.destroyed
      if (!isTaken) await new Promise<void>(resolve => { proceed = resolve })
    }
    response.end()
  } catch (error) {
    if (response.destroyed) return
    // the visitor must see that the transfer was interrupted; HTTP/1.0 shows it only by a reset, which loses
    // bytes that are on their way
    if (response.req.httpVersion === '1.0') response.socket?.resetAndDestroy()
    else response.destroy()
    const { message, cause } = error as Error
    throw new BrokenTransfer(cause instanceof Error ? cause.message : message, { cause: error })
  }
}

const bodyOf = (content: Reply['content']): Body | undefined =>
  content && 'body' in content ? content.body : undefined

/** The ETag of a response. Of pages and JSON, only those of open links have one: no cache may keep others. */
function etagOf ({ status, kind, share, content }: Reply): string | undefined {
  if (!content) return undefined
  if (!('raw' in content)) return content.etag
  return status === 200 && (kind === 'static' || share?.isProtected === false) ? content.etag : undefined
}

/**
 * The only writer of responses. It takes the operator's `responseHeaders` (names in lower case), which go out
 * with the content of open links only.
 */
export class ReplyWriter {
  #responseHeaders: Readonly<Record<string, string>>
  /** those that go out with every kind of content; `#begin` replaces cache-control */
  #plainHeaders: Record<string, string>
  #cacheControl: (response: Cacheable) => string

  constructor (responseHeaders: Record<string, string>) {
    this.#responseHeaders = responseHeaders
    const plain = Object.entries(responseHeaders).filter(([name]) => !OTHER_CACHE_HEADERS.test(name))
    this.#plainHeaders = Object.fromEntries(plain)
    this.#cacheControl = createCacheControl(responseHeaders['cache-control'] ?? '')
  }

  /**
   * Answers a request. Resolves when everything is sent or the visitor has left; throws a BrokenTransfer if a
   * body is interrupted.
   */
  async write (response: ServerResponse, reply: Reply, visitor: Requester): Promise<void> {
    const { content } = reply
    const etag = etagOf(reply)
    if (response.destroyed) return bodyOf(content)?.cancel()
    if (reply.status < 300 && isUnchanged(etag, visitor.ifNoneMatch)) {
      bodyOf(content)?.cancel()
      this.#begin(response, { ...reply, status: 304 }, { etag }).end()
      return
    }
    if (content && !('raw' in content)) await this.#writeFile(response, reply, content)
    else await this.#writeText(response, reply, content, visitor)
  }

  #begin (response: ServerResponse, reply: Reply, more: Headers): ServerResponse {
    const { status, kind, share } = reply
    const isOpen = share !== undefined && !share.isProtected && status < 400
    const isCached = isOpen && kind === 'media' && share.expiresAt === undefined
    const headers: Headers = { ...isOpen && (isCached ? this.#responseHeaders : this.#plainHeaders) }
    Object.assign(headers, reply.headers, more, ALWAYS[kind], {
      'cache-control': this.#cacheControl(reply),
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': isOpen && kind === 'media' ? 'cross-origin' : 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-robots-tag': 'noindex, nofollow'
    })
    const lines: OutgoingHttpHeader[] = []
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined && value !== '') lines.push(name, value)
    }
    return response.writeHead(status, lines)
  }

  async #writeText (
    response: ServerResponse, reply: Reply, text: Text | undefined, { acceptEncoding, address }: Requester
  ): Promise<void> {
    const { body, encoding } = text ? await encode(text, acceptEncoding, address) : { body: Buffer.alloc(0) }
    if (response.destroyed) return
    // Node sends no body for a HEAD
    this.#begin(response, reply, {
      'content-type': text?.type, 'content-encoding': encoding, 'content-length': body.length,
      etag: etagOf(reply)
    }).end(body)
  }

  async #writeFile (response: ServerResponse, reply: Reply, file: File): Promise<void> {
    const { type, etag, body, bytes, length, contentRange } = file
    const isUnsatisfiable = reply.status === 416
    this.#begin(response, reply, {
      'content-type': isUnsatisfiable ? undefined : type, etag, 'content-range': contentRange,
      'accept-ranges': length === undefined && !isUnsatisfiable ? undefined : 'bytes',
      'content-length': isUnsatisfiable ? 0 : length
    })
    if (body) await pump(response, body)
    else response.end(bytes)
  }
}
