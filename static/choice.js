// @ts-check
/** What can be done with a selection: sending it as text, saving or downloading it. Says how large it is. */
import { say } from './dom.js'
import { options, t } from './link.js'
import { measure } from './originals.js'
import { addAction, selection } from './select.js'
import { sizeText } from './words.js'

/** ms without a change after which a selection is measured. */
const PAUSE = 300
const state = { timer: 0, measuring: new AbortController() }

/**
 * Does something by a script that comes on demand. @template T
 * @param {() => Promise<T>} load @param {(script: T) => unknown} use
 */
const by = (load, use) => load().then(use).catch(() => say(t.failed))
const loadSave = () => import('./save.js')

addAction('tonal', 'send', t.sendChoice,
  items => by(() => import('./share.js'), ({ sendChoice }) => sendChoice(items)))
const save = addAction('primary', 'download', t.save, items => by(loadSave, script => script.save(items)))
const download = addAction('primary', 'download', t.download,
  items => by(() => import('./download.js'), script => script.download(items)))

/** @param {boolean} isSaving whether it is saved by the share sheet */
function showButton (isSaving) {
  save.hidden = !options.zip || !isSaving
  download.hidden = !options.zip || isSaving
}

async function update () {
  const { signal } = state.measuring = new AbortController()
  const items = selection.items()
  const isMeasured = options.zip && options.download && items.length > 0
  const bytes = isMeasured ? await measure(items, signal) : undefined
  if (signal.aborted) return
  selection.size.textContent = bytes === undefined ? '' : sizeText(bytes)
  const script = await loadSave().catch(() => undefined)
  if (signal.aborted) return
  const isFitting = items.length === 0 || script?.fitsSheet(bytes)
  // asked each time, because a tablet may get a mouse
  showButton(Boolean(isFitting && script?.canSave()))
}

selection.onChange = () => {
  state.measuring.abort()
  clearTimeout(state.timer)
  state.timer = window.setTimeout(update, PAUSE)
}
showButton(false)
update()
