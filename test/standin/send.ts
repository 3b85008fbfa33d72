/** Sends the stand-in's JSON, errors and files as Immich does, apart from the fault that a test asked for. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { isVersion3, type Exchange, type Fault, type File, type State } from './model.ts'

const STATUS_NAMES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error'
}

export function sendJson (
  { request, response, fault }: Exchange,
  status: number,
  value: unknown,
  headers: Record<string, string> = {}
): void {
  const body = Buffer.from(JSON.stringify(value))
  const digest = createHash('sha1').update(body).digest('base64').slice(0, 27)
  const etag = `"${body.length.toString(16)}-${digest}"`
  if (status === 200 && request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag, ...headers }).end()
    return
  }
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length + (fault.lie ?? 0),
    etag,
    vary: 'Accept-Encoding',
    ...headers
  })
  if (request.method === 'HEAD') response.end()
  else void sendBody(response, Readable.from([body]), fault)
}

/** Sends an error; a list of messages is one of a validation, for which 3.x also sends `errors`. */
export function sendError (
  exchange: Exchange,
  status: number,
  message: string | string[],
  errors?: unknown
): void {
  if (isVersion3(exchange.state)) {
    return sendJson(exchange, status, {
      message: Array.isArray(message) ? 'Validation failed' : message,
      ...errors !== undefined && { errors }
    })
  }
  const correlationId = randomBytes(4).toString('hex')
  const error = message !== 'Internal server error' && { error: STATUS_NAMES[status] }
  sendJson(exchange, status, { message, ...error, statusCode: status, correlationId })
}

/** Sends a body, with the pauses and the end of the fault. */
export async function sendBody (
  response: ServerResponse,
  body: Readable,
  { dieAfter = Infinity, silentAfter = Infinity, drip }: Fault
): Promise<void> {
  let wake = () => {}
  response.on('drain', () => wake()).on('close', () => { body.destroy(); wake() })
  if (dieAfter === Infinity && silentAfter === Infinity && !drip) { body.pipe(response); return }
  const [chunkBytes, pauseMs] = drip ?? [Infinity, 0]
  let sent = 0
  try {
    for await (const whole of body as AsyncIterable<Buffer>) {
      for (let at = 0; at < whole.length;) {
        const allowed = Math.max(0, Math.min(dieAfter, silentAfter) - sent)
        const chunk = whole.subarray(at, at + Math.min(chunkBytes, allowed))
        at += chunk.length
        sent += chunk.length
        if (chunk.length && !response.write(chunk)) await new Promise<void>(resolve => { wake = resolve })
        if (sent >= dieAfter) { setTimeout(() => response.destroy(), 20); return }
        if (sent >= silentAfter) return
        if (drip) await new Promise(resolve => setTimeout(resolve, pauseMs))
        if (response.destroyed) return
      }
    }
    response.end()
  } catch {}
}

export const fileSize = (file: File): number => file.bytes?.length ?? file.size ?? statSync(file.path!).size

/** Returns the bytes of a file that has only a size: cheap to make, and different at each position. */
export function madeUp (first: number, last: number): Buffer {
  const out = Buffer.allocUnsafe(last - first + 1)
  for (let n = 0; n < out.length; n++) { const at = first + n; out[n] = (at ^ (at >> 8) ^ (at >> 16)) & 0xff }
  return out
}
const BLOCK = madeUp(0, 65535)

function readFile (file: File, first: number, last: number): Readable {
  if (file.bytes) return Readable.from([file.bytes.subarray(first, last + 1)])
  if (file.path) return createReadStream(file.path, { start: first, end: last })
  let at = first
  return new Readable({
    highWaterMark: 262144,
    read () {
      if (at > last) { this.push(null); return }
      // for speed the bytes repeat every 64 kB
      const from = at % 65536
      const chunk = BLOCK.subarray(from, Math.min(65536, from + last - at + 1))
      at += chunk.length
      this.push(chunk)
    }
  })
}

type Headers = Record<string, string | number>
/** A file's validators, as its headers carry them. */
type Validators = { etag: string, modified: string }
const withoutWeak = (etag: string) => etag.trim().replace(/^W\//, '')

function fileHeaders (state: State, file: File, { etag, modified }: Validators): Headers {
  return {
    ...!isVersion3(state) && { 'x-immich-cid': 'standin0' },
    'cache-control':
      'private, max-age=86400, no-transform, stale-while-revalidate=2592000, stale-if-error=2592000',
    'content-type': file.type,
    ...file.name !== undefined && {
      'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(file.name)}`
    },
    'accept-ranges': 'bytes',
    'last-modified': modified,
    etag
  }
}

/** Whether `If-Match` or `If-Unmodified-Since` asks for another version of the file. */
function isOtherVersion ({ request }: Exchange, { etag, modified }: Validators): boolean {
  const { 'if-match': match, 'if-unmodified-since': unmodified } = request.headers
  return Boolean(match && match !== etag) ||
    Boolean(unmodified && Date.parse(unmodified) < Date.parse(modified))
}

/** Whether the client's copy of the file is current. */
function isCurrent ({ request }: Exchange, { etag, modified }: Validators): boolean {
  const { 'if-none-match': tags, 'if-modified-since': since } = request.headers
  if (request.headers['cache-control'] === 'no-cache') return false
  if (tags === undefined) return since !== undefined && Date.parse(modified) <= Date.parse(since)
  return tags === '*' || tags.split(',').some(tag => withoutWeak(tag) === withoutWeak(etag))
}

/**
 * Returns the requested part of the file, all of the file if there is no range or the range is ignored, and
 * undefined if the range is refused.
 */
function rangeOf (
  { state, request }: Exchange,
  size: number,
  { etag, modified }: Validators
): { first: number, last: number, isPart: boolean } | undefined {
  const whole = { first: 0, last: size - 1, isPart: false }
  const { range = '' } = request.headers
  const ifRange = request.headers['if-range'] as string | undefined
  const isUsable = range.startsWith('bytes=') && (ifRange === undefined || (
    ifRange.includes('"')
      ? withoutWeak(ifRange) === withoutWeak(etag)
      : Date.parse(modified) <= Date.parse(ifRange)
  ))
  if (!isUsable || range.includes(',')) return whole
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? []
  if (from === '' && to === '') return isVersion3(state) ? whole : undefined
  const first = from === '' ? size - Number(to) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first < 0 || first > last || first >= size ? undefined : { first, last, isPart: true }
}

/** Sends a file with the behaviour in the recordings, quirks included. */
export function sendFile (exchange: Exchange, file: File): void {
  const { state, request, response, fault } = exchange
  const size = fileSize(file)
  const modified = new Date(file.modified ?? Date.UTC(2026, 10, 23, 7, 10, 13)).toUTCString()
  const etag = file.etag ?? `W/"${size.toString(16)}-${Date.parse(modified).toString(16)}"`
  const validators = { etag, modified }
  const headers = fileHeaders(state, file, validators)
  const refuse = (more: Headers = {}) => {
    const body = isVersion3(state)
      ? '{"message":"Not Found"}'
      : '{"message":"Internal server error","statusCode":500,"correlationId":"standin0"}'
    response.writeHead(isVersion3(state) ? 404 : 500, {
      ...headers,
      'content-type': `${file.type}; charset=utf-8`,
      ...more,
      'content-length': body.length
    }).end(body)
  }
  if (isOtherVersion(exchange, validators)) return refuse()
  if (isCurrent(exchange, validators)) {
    const { 'content-type': _, ...rest } = headers
    response.writeHead(304, rest).end()
    return
  }
  const range = rangeOf(exchange, size, validators)
  if (!range) return refuse({ 'content-range': `bytes */${size}` })
  const { first, last, isPart } = range
  response.writeHead(isPart ? 206 : 200, {
    ...headers,
    ...isPart && { 'content-range': `bytes ${first}-${last}/${size}` },
    ...!state.chunked && { 'content-length': last - first + 1 + (fault.lie ?? 0) },
    ...fault.headers
  })
  if (request.method === 'HEAD') { response.end(); return }
  state.open++
  response.on('close', () => state.open--)
  void sendBody(response, readFile(file, first, last), fault)
}
