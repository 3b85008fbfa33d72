// @ts-check
/**
 * What came since this browser was here last, and what comes while the page is open. What was seen is
 * remembered in the browser alone, and where it keeps nothing, nothing is told.
 */
import { make } from './dom.js'
import { focusTile, listeners, tiles } from './grid.js'
import { key, options, t, visit } from './link.js'
import { offer } from './offer.js'

/** Characters of a mark, of which each item has one. */
const MARK = 4
/** ms within which it is not asked a second time whether anything has come. */
const PAUSE = 60_000
const name = `seen ${key}`

/** The items that are new to this browser. @type {Set<number>} */
const fresh = new Set()
let lookedAt = Date.now()

/** @returns {Promise<{ version: string, marks: string }>} */
async function fetchMarks () {
  const answer = await fetch(`/share/marks/${key}`)
  if (answer.status === 404) return { version: '', marks: '' }
  if (!answer.ok) throw new Error(String(answer.status))
  return answer.json()
}

/** Whether the link shows other photos than this page, or has ended; asked at most once a minute. */
export async function hasChanged () {
  if (Date.now() - lookedAt < PAUSE) return false
  lookedAt = Date.now()
  const { version } = await fetchMarks().catch(() => options)
  return version !== options.version
}

async function findNew () {
  const last = localStorage.getItem(name)
  // what was new when this visit began is new until it ends, over any reload
  const before = visit.read(name) ?? last
  const { marks } = await fetchMarks()
  if (marks === '') return
  localStorage.setItem(name, marks)
  visit.write(name, before ?? marks)
  if (before === null) return
  const seen = new Set()
  for (let at = 0; at < before.length; at += MARK) seen.add(before.slice(at, at + MARK))
  for (let n = 0; n < marks.length / MARK; n++) {
    if (!seen.has(marks.slice(n * MARK, (n + 1) * MARK))) fresh.add(n)
  }
}

/** @param {HTMLAnchorElement} tile @param {number} n */
function dress (tile, n) {
  if (!fresh.has(n) || tile.classList.contains('new')) return
  tile.classList.add('new')
  tile.append(make('span', { className: 'dot' }))
  const image = /** @type {HTMLImageElement} */ (tile.firstChild)
  image.alt += `, ${t.new}`
}

export async function startNews () {
  document.addEventListener('visibilitychange', async () => {
    const isSeen = document.visibilityState === 'visible'
    if (isSeen && await hasChanged()) offer(t.added, () => location.reload())
  })
  try {
    await findNew()
  } catch {
    return
  }
  listeners.tile.push(dress)
  for (const [n, tile] of tiles) dress(tile, n)
  const [first] = fresh
  if (first === undefined) return
  offer(t.newSince.replace('{n}', fresh.size.toLocaleString(options.lang)), () => focusTile(first))
}
