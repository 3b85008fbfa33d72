/** Texts to send: pages, JSON and static files, each compressed at most once per encoding. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { preferred } from '../accept-headers.ts'
import { createQueue } from '../queue.ts'
import { isRefusal } from '../refusal.ts'

export const HTML = 'text/html; charset=utf-8'
export const JSON_TYPE = 'application/json; charset=utf-8'
export const PLAIN = 'text/plain; charset=utf-8'
export type Text = { type: string, etag: string, raw: Buffer, br?: Promise<Buffer>, gzip?: Promise<Buffer> }

/** A text with its media type, and a weak ETag that is the hash of its bytes. */
export function createText (type: string, body: string | Buffer): Text {
  const raw = Buffer.from(body)
  const hash = createHash('sha256').update(raw).digest('base64url').slice(0, 20)
  return { type, raw, etag: `W/"${hash}"` }
}

/** below this, compressing gains nothing */
const MIN_COMPRESSED_BYTES = 500
/** above this, brotli at quality 2: 5 to 40 % larger than at 5, in a third of the CPU time */
const LARGE_BYTES = 48 * 1024
/** compressions at the same time; zlib takes up to some MiB for each */
const MAX_COMPRESSIONS = 4
/** compressions that may wait; beyond that, texts go out uncompressed */
const MAX_WAITING = 100
const compressions = createQueue(MAX_COMPRESSIONS, MAX_WAITING)
const brotli = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** log2 of the smallest window that holds this many bytes, within a format's bounds. */
const windowFor = (bytes: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, Math.ceil(Math.log2(bytes))))

const COMPRESS = {
  br: (raw: Buffer) => brotli(raw, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: raw.length > LARGE_BYTES ? 2 : 5,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
      [constants.BROTLI_PARAM_LGWIN]: windowFor(raw.length, 10, 22)
    }
  }),
  gzip: (raw: Buffer) => gzipAsync(raw, { windowBits: windowFor(raw.length, 9, 15), memLevel: 7 })
}
type Encoding = keyof typeof COMPRESS

/** Compresses a text when it is this visitor's turn. Throws a Refusal (busy) if too many wait. */
async function compress (encoding: Encoding, raw: Buffer, visitor: string): Promise<Buffer> {
  const release = await compressions(visitor)
  try {
    const result = await COMPRESS[encoding](raw)
    // zlib's own buffer may be many times as large
    const copy = Buffer.allocUnsafeSlow(result.length)
    result.copy(copy)
    return copy
  } finally { release() }
}

/**
 * The body in the best encoding that the Accept-Encoding header allows, and the name of that encoding; as it
 * is if this visitor, whose address is `visitor`, has too many texts that wait to be compressed.
 */
export async function encode (
  text: Text, acceptEncoding: string, visitor: string
): Promise<{ body: Buffer, encoding?: Encoding }> {
  if (text.raw.length < MIN_COMPRESSED_BYTES) return { body: text.raw }
  const accepted = preferred(acceptEncoding)
  const encoding = (['br', 'gzip'] as const).find(name => accepted.includes(name))
  if (!encoding) return { body: text.raw }
  text[encoding] ??= compress(encoding, text.raw, visitor).catch(error => {
    delete text[encoding]
    throw error
  })
  try {
    return { body: await text[encoding], encoding }
  } catch (error) {
    if (isRefusal(error, 'busy')) return { body: text.raw }
    throw error
  }
}

/** memory of a text: at most three forms of it, its name, and what Node takes for any text */
const weigh = (name: string, { raw }: Text): number => 3 * raw.length + name.length + 1000

/**
 * Makes each text once for everyone who requests it; beyond `maxBytes` in all, drops those unused longest.
 */
export function createTextCache (maxBytes: number) {
  const texts = new Map<string, Text>()
  let bytes = 0
  return (name: string, make: () => Text): Text => {
    const known = texts.get(name)
    const text = known ?? make()
    texts.delete(name)
    texts.set(name, text)
    if (!known) bytes += weigh(name, text)
    for (const [oldest, other] of texts) {
      if (bytes <= maxBytes) break
      texts.delete(oldest)
      bytes -= weigh(oldest, other)
    }
    return text
  }
}
