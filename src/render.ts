/**
 * HTML and JSON for the visitor. Templates know three things: `{{name}}`, always escaped;
 * `{{#name}}…{{/name}}`, once for each of a list or where there is something, `{{^name}}…{{/name}}` where
 * there is not; `{{>file}}`, another template. There is no way to put a value in unescaped.
 */
import { readFileSync } from 'node:fs'
import { Refusal, type Link, type List } from './immich.ts'
import type { Settings } from './settings.ts'
import type { Details, Item, LinkRef, Visitor } from './validate.ts'

// ------------------------------------------------------------------------------------------------- templates

type Values = { [name: string]: unknown }

const escape = (value: unknown): string =>
  String(value ?? '').replace(/[&<>"'`]/g, char => `&#${char.charCodeAt(0)};`)

function look (scopes: Values[], name: string): unknown {
  const [first = '', ...rest] = name.split('.')
  const scope = scopes.findLast(scope => Object.hasOwn(scope, first))
  return rest.reduce<unknown>((value, field) => (value as Values | undefined)?.[field], scope?.[first])
}

/**
 * Fills in a template; of `scopes` the last that has a name counts. A section may not hold another of its
 * own name. Throws at braces that are none of the above.
 */
export function fill (template: string, scopes: Values[]): string {
  // eslint-disable-next-line regexp/no-super-linear-move -- our own templates
  const tags = /\{\{(?:([#^])([\w.]+)\}\}(.*?)\{\{\/\2|([\w.]+)|[^}]*)\}\}/gs
  return template.replace(tags, (tag, kind?: string, section = '', inner = '', name?: string) => {
    if (name) return escape(look(scopes, name))
    if (!kind) throw new Error(`template: ${tag}`)
    const value = look(scopes, section)
    const values = Array.isArray(value) ? value : value ? [value] : []
    if (kind === '^') return values.length ? '' : fill(inner, scopes)
    return values.map(value => fill(inner, [...scopes, value instanceof Object ? value : { value }])).join('')
  })
}

// ------------------------------------------------------------------------------------- words, dates, lengths

type Words = Record<string, string>

/** The first of the visitor's languages that there are words for, with its region, which dates depend on. */
const pick = (languages: string[], all: Record<string, Words>): string => Intl.getCanonicalLocales(
  languages.map(language => /^[a-z]{2,3}(-[a-z]{2}(?![a-z\d]))?/.exec(language)?.[0] ?? '')
    .find(language => Object.hasOwn(all, language.split('-')[0]!)))[0] ?? 'en'

/** The form of `name` for `n` in a language, with the number in it. */
function counted (words: Words, lang: string, name: string, n: number): string {
  const form = words[`${name}_${new Intl.PluralRules(lang).select(n)}`] ?? words[`${name}_other`] ?? ''
  return form.replace('{n}', n.toLocaleString(lang))
}

const DAY = 86_400_000
const date = (lang: string, options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat(lang, { timeZone: 'UTC', ...options })
const length = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  const parts = [seconds / 3600, seconds / 60 % 60, seconds % 60]
  return parts.map(part => String(Math.floor(part)).padStart(2, '0')).join(':').replace(/^(00:)?0?/, '')
}

// ---------------------------------------------------------------------------------------- the list as a page

/** How many steps the aspect ratio is rounded to for the grid: 3 % each, from 0.2 to 5. */
const STEPS = 100
const step = (ratio: number): number => Math.round(Math.log(ratio / 0.2) / Math.log(25) * (STEPS - 1))
/** The stylesheet's part of that: a class for each step. */
export const ratioRules = (): string => Array.from({ length: STEPS }, (_, n) =>
  `.r${n}{--r:${(0.2 * 25 ** (n / (STEPS - 1))).toFixed(3)}}`).join('')

/** Items of one stretch of the list, which the page's script fetches at a time. */
const STRETCH = 500
const [FIRST_TILES, MORE_TILES] = [60, 120]

/** The address of a link as the visitor came to it, or of something below it. */
export const linkPath = (link: LinkRef, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest

/** Whose page it is, of which link, and by which address of it. */
export type Place = { visitor: Visitor, ref: LinkRef, link: Link }
/** The two yeses to a zip. */
export const mayZip = (config: Settings, link: Link) => config.allowDownloadAll !== 0 && link.allowDownload

/** The pages. `assets` is the path below which the static files of this version are. */
export function createRenderer (settings: Settings, root: URL, assets: string) {
  const read = (name: string): string => readFileSync(new URL(`templates/${name}.html`, root), 'utf8')
    .replace(/\{\{>(\w+)\}\}\n?/g, (_, name) => read(name))
  const [galleryPage, photoPage, pageHead] = [read('gallery'), read('photo'), read('head')]
  const plainPages = { home: read('home'), password: read('password'), notice: read('notice') }
  const strings: Record<string, Words> =
    JSON.parse(readFileSync(new URL('static/strings.json', root), 'utf8'))
  const months = settings.groupByDate === 'month'
  const dated = (link: Link) => link.showMetadata && settings.groupByDate !== false
  /** The metadata fields that the operator tells, by Immich's names for them. */
  const { description, exif, location } = settings.showMetadata
  const flags = Object.entries({ description, ...exif, ...location })
  const told = flags.filter(([, yes]) => yes).map(([name]) => name)

  const wording = ({ languages }: Visitor) => {
    const lang = pick(languages(), strings)
    return { t: strings[lang.split('-')[0]!]!, lang, assets }
  }

  /**
   * The days or months of items one after another: each by a number (since 1970; year × 12 + month), and how
   * many.
   */
  function runs (link: Link, items: Item[]): [group: number, count: number][] {
    const runs: [number, number][] = []
    for (const { time } of items) {
      const taken = new Date(time)
      const month = taken.getUTCFullYear() * 12 + taken.getUTCMonth()
      const group = !dated(link) ? 0 : months ? month : Math.floor(time / DAY)
      const last = runs.at(-1)
      if (last?.[0] === group) last[1]++
      else runs.push([group, 1])
    }
    return runs
  }

  function heading (group: number, lang: string): { day: string, weekday: string } {
    const at = months ? Date.UTC(Math.floor(group / 12), group % 12) : group * DAY
    const day = date(lang, months ? { year: 'numeric', month: 'long' } : { dateStyle: 'long' }).format(at)
    return { day, weekday: months ? '' : date(lang, { weekday: 'long' }).format(at) }
  }

  function summary (link: Link, items: Item[], words: Words, lang: string): string {
    const videos = items.filter(item => item.video).length
    const kind = videos === 0 ? 'photos' : videos === items.length ? 'videos' : 'items'
    const texts = [counted(words, lang, kind, items.length)]
    // the ends of the list are its ends in time; an album may be sorted either way
    const [from = 0, to = 0] = [items[0]?.time ?? 0, items.at(-1)?.time ?? 0].sort((a, b) => a - b)
    if (dated(link) && to) texts.push(date(lang, { year: 'numeric', month: 'short' }).formatRange(from, to))
    return texts.join(' · ')
  }

  /** What gallery.html and photo.html share: texts, addresses, og: tags, and the skeleton for the script. */
  function common (at: Place, list: List, picture?: Item, caption = '') {
    const { visitor, ref, link } = at
    const { t, lang } = wording(visitor)
    const { key, expiresAt, allowDownload: download } = link
    const { items, version } = list
    const name = (settings.showGalleryTitle && link.title) || t.sharedPhotos!
    const title = caption || name
    const about = settings.showGalleryDescription ? link.description : ''
    const film = picture?.video ? picture.id : undefined
    const cover = picture?.id ?? link.album?.cover ?? items[0]?.id
    // addresses that are shown elsewhere are absolute; of what has a password nothing is shown anywhere
    const base = visitor.base()
    const og = base !== '' && !link.protected && {
      type: film ? 'video.other' : 'website',
      url: base + linkPath(ref, picture ? `/${picture.id}` : ''),
      cover: cover && `${base}/share/photo/${key}/${cover}/preview`,
      film: film && `${base}/share/video/${key}/${film}`
    }
    const zip = mayZip(settings, link)
    const skeleton = items.map(({ ratio, video }) =>
      String.fromCharCode(0x100 + step(ratio) + (video ? STEPS : 0))).join('')
    const ends = settings.showExpiryDate && expiresAt && date(lang, { dateStyle: 'long' }).format(expiresAt)
    const options = {
      zip, download, key, lang, version, t, home: linkPath(ref), stretch: STRETCH, runs: runs(link, items),
      group: dated(link) && settings.groupByDate, info: link.showMetadata && told.length > 0,
      zoom: settings.maxZoomQuality === 'fullsize' && download && settings.downloadOriginalPhoto,
      autoOpen: items.length === 1 && settings.singleItemAutoOpen, lightGallery: settings.lightGallery
    }
    return {
      t, lang, assets, script: true, title, name, about, og, skeleton, options: JSON.stringify(options),
      home: linkPath(ref), summary: summary(link, items, t, lang),
      expiry: ends && t.expires!.replace('{date}', ends),
      zip: zip && items.length > 0 && linkPath(ref, '/download')
    }
  }

  return {
    /** How `gallery` begins, whatever is in the album. */
    beginning: (visitor: Visitor): string =>
      fill(pageHead, [{ ...wording(visitor), script: true }]).split('<title>')[0]!,
    /** A page without a link. `values` are its texts by name. */
    plain (kind: 'home' | 'password' | 'notice', visitor: Visitor, values: (words: Words) => Values): string {
      const words = wording(visitor)
      return fill(plainPages[kind], [{ ...words, ...values(words.t) }])
    },
    /** The gallery, or page `page` of it for those without script. Throws a Refusal beyond the last page. */
    gallery (at: Place, list: List, page: number): string {
      const { ref, link } = at
      const from = page === 1 ? 0 : FIRST_TILES + (page - 2) * MORE_TILES
      const to = FIRST_TILES + (page - 1) * MORE_TILES
      const items = list.items.slice(from, to)
      if (items.length === 0 && page > 1) throw new Refusal('missing')
      const values = common(at, list)
      const { t, lang } = values
      const tiles = items.map(({ id, ratio, video, duration, motion }, k) => ({
        n: from + k, step: step(ratio), lazy: k >= 20, href: linkPath(ref, `/${id}`),
        src: `/share/photo/${link.key}/${id}/thumbnail`, motion: motion && !video,
        length: video && length(duration), alt: `${video ? t.video : t.photo} ${from + k + 1}`
      }))
      const sections = runs(link, items).map(([group, count]) =>
        ({ dated: dated(link), ...dated(link) && heading(group, lang), tiles: tiles.splice(0, count) }))
      return fill(galleryPage, [{
        ...values, sections, empty: list.items.length === 0,
        previous: page > 1 && linkPath(ref, page > 2 ? `?page=${page - 1}` : ''),
        next: to < list.items.length && linkPath(ref, `?page=${page + 1}`)
      }])
    },
    /** The page of one photo or video. `details` where its description may be told. */
    photo (at: Place, list: List, item: Item, details?: Details): string {
      const { ref, link } = at
      const n = list.items.indexOf(item)
      const { id, video, motion } = item
      const caption = details?.description ?? ''
      const values = common(at, list, item, caption)
      const { t, lang } = values
      const beside = (other?: Item) => other && linkPath(ref, `/${other.id}`)
      const [photo, film] = [`/share/photo/${link.key}/${id}`, `/share/video/${link.key}`]
      const [place = '', total = ''] = [n + 1, list.items.length].map(number => number.toLocaleString(lang))
      return fill(photoPage, [{
        ...values, caption, at: n, position: t.position!.replace('{n}', place).replace('{total}', total),
        previous: beside(list.items[n - 1]), next: beside(list.items[n + 1]),
        image: !video && `${photo}/${item.duration > 0 ? 'fullsize' : 'preview'}`, poster: `${photo}/preview`,
        motion: !video && motion && `${film}/${motion}`, video: video && `${film}/${id}`,
        alt: caption || `${video ? t.video : t.photo} ${n + 1}`,
        original: link.allowDownload && `${photo}/original`
      }])
    },
    /**
     * One stretch of the list as columns; times only where the operator and the owner both tell them. Throws
     * a Refusal beyond the last.
     */
    items (link: Link, { items: all, version }: List, stretch: number): string {
      const items = all.slice(stretch * STRETCH, (stretch + 1) * STRETCH)
      const timed = link.showMetadata && told.includes('dateTimeOriginal')
      if (items.length === 0) throw new Refusal('missing')
      return JSON.stringify({
        version, id: items.map(({ id }) => id), thumbhash: items.map(({ thumbhash }) => thumbhash),
        duration: items.map(({ duration }) => duration > 0 ? length(duration) : ''),
        motion: Object.fromEntries(items.flatMap(({ motion }, n) => motion ? [[n, motion]] : [])),
        ...timed && { time: items.map(({ time }) => Math.round(time / 1000)) }
      })
    },
    /** What the info panel may show of one item: the two yeses of promise 5, field by field. */
    meta (link: Link, { exif, name, time }: Details): Record<string, unknown> {
      const known: Values = { ...exif, originalFileName: name, dateTimeOriginal: time }
      return Object.fromEntries((link.showMetadata ? told : []).map(field => [field, known[field]])
        .filter(([, value]) => (typeof value === 'string' && value !== '') || typeof value === 'number'))
    }
  }
}
