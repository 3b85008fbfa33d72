// @ts-check
/**
 * Marks photos added since this browser's last visit, and offers those added while the page is open. The
 * photos seen are remembered in the browser only; without storage nothing is marked.
 */
import { make } from './dom.js'
import { focusTile, listeners, tiles } from './grid.js'
import { fetchJson } from './items.js'
import { key, lang, options, t } from './link.js'
import { offer } from './snackbar.js'

/** The marks of all items, of four characters each. @param {string} marks */
const split = marks => marks.match(/.{4}/g) ?? []
/** The shortest time between two requests for changes. */
const PAUSE_MS = 60_000
const name = `seen ${key}`

/** The items that are new to this browser. @type {Set<number>} */
const fresh = new Set()
let lookedAt = Date.now()

/** @returns {Promise<{ version: string, marks: string }>} */
const fetchMarks = () => fetchJson(`/share/marks/${key}`, { version: '', marks: '' })

/** Whether the link's photos have changed or it has expired; asks at most once a minute. */
export async function hasChanged () {
  if (Date.now() - lookedAt < PAUSE_MS) return false
  lookedAt = Date.now()
  const { version } = await fetchMarks().catch(() => options)
  return version !== options.version
}

async function findNew () {
  const last = localStorage.getItem(name)
  // new photos stay new until the visit ends, even over a reload
  const before = sessionStorage.getItem(name) ?? last
  const { marks } = await fetchMarks()
  if (marks === '') return
  localStorage.setItem(name, marks)
  sessionStorage.setItem(name, before ?? marks)
  if (before === null) return
  const seen = new Set(split(before))
  for (const [n, mark] of split(marks).entries()) if (!seen.has(mark)) fresh.add(n)
}

/** @param {HTMLAnchorElement} tile @param {number} n */
function dress (tile, n) {
  if (!fresh.has(n) || tile.classList.contains('new')) return
  tile.classList.add('new')
  tile.append(make('span', { className: 'dot', role: 'img', ariaLabel: t.new }))
}

/**
 * Offers news, which waits while a selection or the lightbox needs the screen.
 * @param {string} text @param {() => void} onTake
 */
const tell = (text, onTake) => offer(text, onTake).classList.add('news')

export async function startNews () {
  document.addEventListener('visibilitychange', async () => {
    if (!document.hidden && await hasChanged()) tell(t.added, () => location.reload())
  })
  await findNew().catch(() => {})
  listeners.tile.push(dress)
  for (const [n, tile] of tiles) dress(tile, n)
  const [first] = fresh
  if (first === undefined) return
  tell(t.newSince.replace('{n}', fresh.size.toLocaleString(lang)), () => focusTile(first))
}
