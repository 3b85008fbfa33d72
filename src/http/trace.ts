/** Logs single requests: those that were interrupted, and with LOG_LEVEL=debug all of them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../log.ts'
import type { Refusal } from '../refusal.ts'
import type { LinkAddress } from '../validate.ts'

export type Trace = {
  /** `route` is the path as in the table of routes */
  found: (route: string, link: LinkAddress | undefined) => void
  refused: (refusal: Refusal) => void
  /** Logs that Immich stopped in the middle of a transfer. */
  interrupted: (reason: string) => void
}

/** Follows a request until its response ends. `bytes` counts those of the connection, headers included. */
export function traceRequest (
  request: IncomingMessage, response: ServerResponse, log: Log, isVerbose: boolean
): Trace {
  const { socket, method } = request
  const begun = performance.now()
  const bytesBefore = socket.bytesWritten
  let at: { route: string, link?: LinkAddress | undefined } = { route: 'none' }
  let refusal: string | undefined
  const fields = () => ({
    link: at.link && log.hashOf(at.link), method, route: at.route, status: response.statusCode,
    bytes: socket.bytesWritten - bytesBefore, ms: Math.round(performance.now() - begun)
  })
  if (isVerbose) {
    response.once('close', () => {
      const isCut = !response.writableFinished || undefined
      log.debug('request', { ...fields(), refusal, isCut })
    })
  }
  return {
    found: (route, link) => { at = { route, link } },
    refused: ({ reason, message }) => { refusal = message ? `${reason}: ${message}` : reason },
    interrupted: reason => log.warn('transfer interrupted', { ...fields(), reason })
  }
}
