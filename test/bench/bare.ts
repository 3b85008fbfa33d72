/**
 * A bare server to compare with: fetch, and a reader loop that awaits drain; or with `pipeTo`, without
 * backpressure, as Immich Public Proxy 3.2 did. It checks nothing and keeps nothing.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const NAMED = ['content-type', 'content-length', 'content-range', 'etag']
const server = createServer(async (request, response) => {
  const { range } = request.headers
  const asked = { 'accept-encoding': 'identity', ...range && { range } }
  const answer = await fetch(process.env.IMMICH_URL + request.url!, { headers: asked })
  const headers = [...answer.headers].filter(([name]) => NAMED.includes(name))
  response.writeHead(answer.status, Object.fromEntries(headers))
  if (process.argv.includes('pipeTo')) {
    const sink = new WritableStream({ write (part) { response.write(part) }, close () { response.end() } })
    await answer.body!.pipeTo(sink).catch(() => {})
    return
  }
  const reader = answer.body!.getReader()
  let wake = () => {}
  response.on('drain', () => wake()).on('close', () => { wake(); reader.cancel().catch(() => {}) })
  for (let part; !(part = await reader.read()).done && !response.destroyed;) {
    if (!response.write(part.value)) await new Promise<void>(resolve => { wake = resolve })
  }
  response.end()
})
server.keepAliveTimeout = 90_000
server.listen(0, '127.0.0.1', () => process.stdout.write(`port=${(server.address() as AddressInfo).port}\n`))
