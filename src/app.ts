/** The parts of the program, created once for all requests. */
import { policyOf } from './config/policy.ts'
import type { Settings } from './config/settings.ts'
import { Gate } from './gate/gate.ts'
import { createTextCache } from './http/compression.ts'
import { loadStaticFiles } from './http/static-files.ts'
import type { Keys } from './keys.ts'
import { once, type Log } from './log.ts'
import { createQueue } from './queue.ts'
import { Renderer } from './render.ts'
import { createZips } from './zip/zips.ts'

const TEXT_CACHE_BYTES = 48 * 1024 * 1024

export type App = ReturnType<typeof createApp>
/** `root` is the program's folder; `isClosing` returns whether the process is about to end. */
export function createApp (settings: Settings, keys: Keys, log: Log, root: URL, isClosing: () => boolean) {
  const { immichUrl, limits } = settings
  const gate = new Gate({ immichUrl, policy: policyOf(settings), limits, keys, log })
  const statics = loadStaticFiles(root)
  return {
    settings, log, gate, statics, isClosing,
    zips: createZips(gate, {
      naming: settings.downloadedFilename, log,
      // stripped files are held in memory whole, so a slow visitor must not hold several
      requests: settings.stripMetadata ? 1 : limits.zipRequests
    }),
    zipSlots: createQueue(limits.zips, 0),
    renderer: new Renderer(settings, root, `/share/static/${statics.version}`),
    texts: createTextCache(TEXT_CACHE_BYTES),
    warnOfForgeable: once(log.warn)
  }
}
