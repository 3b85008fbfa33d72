// @ts-check
/** The buttons of a selection (send as text, save, download) and its size. */
import { say } from './dom.js'
import { options, t, total } from './link.js'
import { measure, sizeAt } from './original-info.js'
import { addAction, selection } from './selection.js'
import { sizeText } from './words.js'

/** How long a selection rests before it is measured. */
const PAUSE_MS = 300
const state = { timer: 0, measuring: new AbortController() }

/**
 * Loads a script on demand and uses it. @template T
 * @param {() => Promise<T>} load @param {(script: T) => unknown} use
 */
const by = (load, use) => load().then(use).catch(() => say(t.tryAgain))
const loadSave = () => import('./save.js')

addAction('tonal', 'send', t.sendChoice,
  items => by(() => import('./share.js'), ({ sendChoice }) => sendChoice(items)))
const save = addAction('primary', 'download', t.download, items => by(loadSave, script => script.save(items)))
save.hidden = !options.zip

async function update () {
  const { signal } = state.measuring = new AbortController()
  const items = selection.items()
  const isMeasured = options.zip && options.download && items.length > 0
  const bytes = isMeasured ? await measure(items, signal) : undefined
  const zip = /** @type {HTMLAnchorElement | null} */ (document.getElementById('zip'))
  const shown = bytes === undefined && zip && items.length === total ? await sizeAt(zip.href, signal) : bytes
  if (signal.aborted) return
  selection.size.textContent = shown === undefined ? '' : sizeText(shown)
  const script = await loadSave().catch(() => undefined)
  if (signal.aborted) return
  const isFitting = items.length === 0 || script?.fitsSheet(bytes)
  // checked each time, because a mouse may be connected to a tablet
  const label = isFitting && script?.canSave() ? t.save : t.download
  save.ariaLabel = label
  save.lastChild?.replaceWith(label)
}

selection.onChange = () => {
  state.measuring.abort()
  clearTimeout(state.timer)
  // the old size stays until the new one is known, so that the count above it does not jump
  if (selection.items().length === 0) selection.size.textContent = ''
  state.timer = window.setTimeout(update, PAUSE_MS)
}
update()
