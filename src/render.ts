/**
 * HTML and JSON for the visitor. Templates know three things: `{{name}}`, always escaped; `{{#name}}…{{/name}}`, once
 * for each of a list or where there is something, `{{^name}}…{{/name}}` where there is not; `{{>file}}`, another
 * template. There is no way to put a value in unescaped.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Link, List } from './immich.ts'
import type { Settings } from './settings.ts'
import type { Details, Item, LinkRef, Visitor } from './validate.ts'

// ----------------------------------------------------------------------------------------------------------- templates

type Values = { [name: string]: unknown }
type Part = (scopes: Values[]) => string

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' }
const escape = (value: unknown): string => String(value ?? '').replace(/[&<>"'`]/g, char => ENTITIES[char]!)

function look (scopes: Values[], name: string): unknown {
  const [first = '', ...rest] = name.split('.')
  const scope = scopes.findLast(scope => Object.hasOwn(scope, first))
  return rest.reduce<unknown>((value, field) => (value as Values | undefined)?.[field], scope?.[first])
}

/** Compiles a template; `read` gives the text of those it includes. Throws where a section is not closed. */
export function compile (source: string, read: (name: string) => string): Part {
  const tokens = source.replace(/\{\{>\s*([\w.]+)\s*\}\}\n?/g, (_, name) => read(name)).split(/(\{\{[^}]*\}\})/)
  const block = (end?: string): Part => {
    const parts: Part[] = []
    while (tokens.length) {
      const token = tokens.shift()!
      const [, kind = '', name = ''] = /^\{\{([#^/]?)\s*([\w.]+)\s*\}\}$/.exec(token) ?? []
      if (!name) parts.push(() => token)
      else if (kind === '/') {
        if (name !== end) throw new Error(`template: {{/${name}}} closes {{#${end}}}`)
        return scopes => parts.map(part => part(scopes)).join('')
      } else if (kind === '') parts.push(scopes => escape(look(scopes, name)))
      else {
        const inner = block(name)
        parts.push(scopes => {
          const value = look(scopes, name)
          const values = Array.isArray(value) ? value : value || value === 0 ? [value] : []
          if (kind === '^') return values.length ? '' : inner(scopes)
          return values.map(value => inner([...scopes, value instanceof Object ? value : { value }])).join('')
        })
      }
    }
    if (end) throw new Error(`template: {{#${end}}} is not closed`)
    return scopes => parts.map(part => part(scopes)).join('')
  }
  return block()
}

// ----------------------------------------------------------------------------------------------- words, dates, lengths

type Words = Record<string, string> & { [name: `${string}_${string}`]: string }

/** The first of the visitor's languages that there are words for, with its region, which decides how dates look. */
function pick (languages: string[], all: Record<string, Words>): string {
  for (const language of languages) {
    try {
      const [locale] = Intl.getCanonicalLocales(language)
      if (locale && Object.hasOwn(all, locale.split('-')[0]!)) return locale
    } catch {}
  }
  return 'en'
}

/** The form of `name` for `n` in a language, with the number in it. */
function counted (words: Words, language: string, name: string, n: number): string {
  const form = new Intl.PluralRules(language).select(n)
  return (words[`${name}_${form}`] ?? words[`${name}_other`] ?? '').replace('{n}', n.toLocaleString(language))
}

const DAY = 86_400_000
const length = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  const pad = (n: number) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`
}

// ------------------------------------------------------------------------------------------------- the list as a page

/** How many steps the aspect ratio is rounded to for the grid: 3 % each, from 0.2 to 5. */
const STEPS = 100
const step = (ratio: number): number => Math.round(Math.log(ratio / 0.2) / Math.log(25) * (STEPS - 1))
/** The stylesheet's part of that: a class for each step. */
export const ratioRules = (): string =>
  Array.from({ length: STEPS }, (_, n) => `.r${n}{--r:${(0.2 * 25 ** (n / (STEPS - 1))).toFixed(3)}}`).join('')

/** Items of one stretch of the list that the page's script fetches at a time. */
export const STRETCH = 500
const FIRST_TILES = 60
const MORE_TILES = 120

/** Names the days (or months) of a list by a number: the day's since 1970, or year × 12 + month. */
const groupOf = (settings: Settings, item: Item): number => {
  if (settings.groupByDate === 'day') return Math.floor(item.time / DAY)
  const date = new Date(item.time)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

const path = (link: LinkRef, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest
export const linkPath = path

export type Renderer = ReturnType<typeof createRenderer>
/** What the two yeses of downloads come to. */
export type May = { zip: boolean, download: boolean }
export type PageKind = 'home' | 'password' | 'notice'

/** The pages. `assets` is the path below which the static files of this version are. */
export function createRenderer (settings: Settings, root: URL, assets: string) {
  const read = (name: string) => readFileSync(new URL(`templates/${name}.html`, root), 'utf8')
  const parts = Object.fromEntries(['head', 'home', 'gallery', 'photo', 'password', 'notice']
    .map(name => [name, compile(read(name), read)]))
  const strings = JSON.parse(readFileSync(new URL('static/strings.json', root), 'utf8')) as Record<string, Words>
  const wording = ({ languages }: Visitor) => {
    const lang = pick(languages, strings)
    return { t: strings[lang.split('-')[0]!]!, lang, assets }
  }
  const dated = (link: Link) => link.showMetadata && settings.groupByDate !== false

  const heading = (group: number, lang: string): { day: string, weekday: string } => {
    const months = settings.groupByDate === 'month'
    const date = months ? Date.UTC(Math.floor(group / 12), group % 12) : group * DAY
    const format = (options: Intl.DateTimeFormatOptions) =>
      new Intl.DateTimeFormat(lang, { timeZone: 'UTC', ...options }).format(date)
    return months ? { day: format({ year: 'numeric', month: 'long' }), weekday: '' }
      : { day: format({ dateStyle: 'long' }), weekday: format({ weekday: 'long' }) }
  }

  function runs (link: Link, items: Item[]): [group: number, count: number][] {
    if (!dated(link)) return items.length ? [[0, items.length]] : []
    const runs: [number, number][] = []
    for (const item of items) {
      const group = groupOf(settings, item)
      const last = runs.at(-1)
      if (last?.[0] === group) last[1]++
      else runs.push([group, 1])
    }
    return runs
  }

  function tile (item: Item, n: number, ref: LinkRef, link: Link, words: Words) {
    return {
      n,
      step: step(item.ratio),
      href: path(ref, `/${item.id}`),
      src: `/share/photo/${link.key}/${item.id}/thumbnail`,
      alt: `${item.video ? words.video : words.photo} ${n + 1}`,
      lazy: n >= 20,
      length: item.video ? length(item.duration) : '',
      motion: item.motion && !item.video
    }
  }

  function summary (link: Link, items: Item[], words: Words, lang: string): string {
    const videos = items.filter(item => item.video).length
    const kind = videos === 0 ? 'photos' : videos === items.length ? 'videos' : 'items'
    const texts = [counted(words, lang, kind, items.length)]
    if (dated(link) && items.length) {
      // the ends of the list are its ends in time; an album may be sorted either way
      const [from, to] = [items[0]!.time, items.at(-1)!.time].sort((a, b) => a - b) as [number, number]
      texts.push(new Intl.DateTimeFormat(lang, { timeZone: 'UTC', year: 'numeric', month: 'short' }).formatRange(from, to))
    }
    return texts.join(' · ')
  }

  /** What head.html needs, and gallery.html and photo.html begin with. */
  function head (visitor: Visitor, ref: LinkRef, link: Link, picture?: Item, caption = '') {
    const { t, lang } = wording(visitor)
    const name = (settings.showGalleryTitle && link.title) || t.sharedPhotos!
    const title = caption || name
    const address = visitor.base + path(ref, picture ? `/${picture.id}` : '')
    const image = picture ?? (link.album?.cover && { id: link.album.cover, video: false })
    const about = settings.showGalleryDescription ? link.description : ''
    const tags = link.protected || !visitor.base ? [] : [
      ['og:type', picture?.video ? 'video.other' : 'website'], ['og:title', title], ['og:url', address], ['og:description', about],
      ['og:image', image ? `${visitor.base}/share/photo/${link.key}/${image.id}/preview` : ''],
      ['og:video', picture?.video ? `${visitor.base}/share/video/${link.key}/${picture.id}` : ''],
      ['twitter:card', 'summary_large_image'], ['twitter:title', title], ['twitter:description', about],
      ['twitter:image', image ? `${visitor.base}/share/photo/${link.key}/${image.id}/preview` : '']
    ].filter(([, value]) => value).map(([property, content]) => ({ property, content }))
    return { ...wording(visitor), lang, title, name, about, tags, script: true }
  }

  /** Everything that gallery.html and photo.html share: texts, addresses, and the skeleton for the script. */
  function common (visitor: Visitor, ref: LinkRef, link: Link, list: List, { zip, download }: May) {
    const { t, lang } = wording(visitor)
    const codes = list.items.map(item => 0x100 + step(item.ratio) + (item.video ? STEPS : 0))
    let skeleton = ''
    for (let n = 0; n < codes.length; n += 4096) skeleton += String.fromCharCode(...codes.slice(n, n + 4096))
    return {
      home: path(ref),
      summary: summary(link, list.items, t, lang),
      expiry: settings.showExpiryDate && link.expiresAt !== undefined && t.expires!.replace('{date}',
        new Intl.DateTimeFormat(lang, { dateStyle: 'long' }).format(link.expiresAt)),
      zip: zip && list.items.length > 0 && path(ref, '/download'),
      skeleton,
      options: JSON.stringify({
        key: link.key,
        home: path(ref),
        lang,
        group: dated(link) ? settings.groupByDate : false,
        runs: runs(link, list.items),
        stretch: STRETCH,
        version: listVersion(list),
        zip,
        download,
        zoom: settings.maxZoomQuality === 'fullsize' && download && settings.downloadOriginalPhoto,
        info: link.showMetadata && told(settings).length > 0,
        autoOpen: list.items.length === 1 && settings.singleItemAutoOpen,
        lightGallery: settings.lightGallery,
        t
      })
    }
  }

  return {
    /** A page without a link: home, password or notice. `values` are its texts by name. */
    plain (kind: PageKind, visitor: Visitor, values: (words: Words) => Values): string {
      const words = wording(visitor)
      return parts[kind]!([{ ...words, tags: [], about: '', ...values(words.t) }])
    },
    /** The first bytes of the gallery's page, which can be sent before the list is known. */
    galleryHead: (visitor: Visitor, ref: LinkRef, link: Link): string => parts.head!([head(visitor, ref, link)]),
    /** The gallery, or page `page` of it for those without script; undefined beyond the last page. */
    gallery (visitor: Visitor, ref: LinkRef, link: Link, list: List, page: number, may: May) {
      const values = head(visitor, ref, link)
      const from = page === 1 ? 0 : FIRST_TILES + (page - 2) * MORE_TILES
      const to = FIRST_TILES + (page - 1) * MORE_TILES
      const items = list.items.slice(from, to)
      if (items.length === 0 && page > 1) return undefined
      let n = from
      const sections = runs(link, items).map(([group, count]) => ({
        ...dated(link) && heading(group, values.lang),
        dated: dated(link),
        tiles: items.slice(n - from, n - from + count).map(item => tile(item, n++, ref, link, values.t))
      }))
      return parts.gallery!([{
        ...values,
        ...common(visitor, ref, link, list, may),
        sections,
        empty: list.items.length === 0,
        previous: page > 1 && path(ref, page > 2 ? `?page=${page - 1}` : ''),
        next: to < list.items.length && path(ref, `?page=${page + 1}`)
      }])
    },
    /** The page of one photo or video. `details` where its description may be told. */
    photo (visitor: Visitor, ref: LinkRef, link: Link, list: List, item: Item, may: May, details?: Details) {
      const n = list.items.indexOf(item)
      const caption = details?.description ?? ''
      const values = head(visitor, ref, link, item, caption)
      const beside = (other?: Item) => other && path(ref, `/${other.id}`)
      const media = `/share/${item.video ? 'video' : 'photo'}/${link.key}/${item.id}`
      return parts.photo!([{
        ...values,
        ...common(visitor, ref, link, list, may),
        caption,
        position: values.t.position!.replace('{n}', (n + 1).toLocaleString(values.lang))
          .replace('{total}', list.items.length.toLocaleString(values.lang)),
        previous: beside(list.items[n - 1]),
        next: beside(list.items[n + 1]),
        image: !item.video && `${media}/${item.duration > 0 ? 'fullsize' : 'preview'}`,
        motion: !item.video && item.motion && `/share/video/${link.key}/${item.motion}`,
        video: item.video && media,
        poster: `/share/photo/${link.key}/${item.id}/preview`,
        alt: caption || `${item.video ? values.t.video : values.t.photo} ${n + 1}`,
        original: may.download && `/share/photo/${link.key}/${item.id}/original`,
        at: n
      }])
    },
    /** One stretch of the list as columns; times only where the operator and the owner both tell them. */
    items (link: Link, list: List, stretch: number): string | undefined {
      const items = list.items.slice(stretch * STRETCH, (stretch + 1) * STRETCH)
      if (items.length === 0) return undefined
      const timed = link.showMetadata && told(settings).includes('dateTimeOriginal')
      return JSON.stringify({
        version: listVersion(list),
        id: items.map(item => item.id),
        thumbhash: items.map(item => item.thumbhash),
        duration: items.map(item => Math.round(item.duration / 1000)),
        motion: Object.fromEntries(items.flatMap((item, n) => item.motion && !item.video ? [[n, item.motion]] : [])),
        ...timed && { time: items.map(item => Math.round(item.time / 1000)) }
      })
    },
    /** What the info panel may show of one item: the two yeses of promise 5, field by field. */
    meta (link: Link, details: Details): Record<string, unknown> {
      if (!link.showMetadata) return {}
      const known: Values = { ...details.exif, originalFileName: details.name, dateTimeOriginal: details.time }
      return Object.fromEntries(told(settings).map(name => [name, known[name]])
        .filter(([, value]) => (typeof value === 'string' && value !== '') || typeof value === 'number'))
    }
  }
}

/** The metadata fields that the operator tells, by Immich's names for them. */
export const told = ({ showMetadata }: Settings): string[] =>
  Object.entries({ description: showMetadata.description, ...showMetadata.exif, ...showMetadata.location })
    .filter(([, yes]) => yes).map(([name]) => name)

const versions = new WeakMap<List, string>()
/** A short name for exactly this list in this order. */
export function listVersion (list: List): string {
  const known = versions.get(list)
  if (known) return known
  const hash = createHash('sha256')
  for (const { id, motion = '', time, thumbhash } of list.items) hash.update(`${id}${motion}${time}${thumbhash}\n`)
  const version = hash.digest('base64url').slice(0, 16)
  versions.set(list, version)
  return version
}
