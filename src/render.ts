/** HTML and JSON for the visitor: what is told of a link and of its photos, and what is not. */
import type { Details, Item } from './immich-json.ts'
import { mayDownload, mayHaveOriginals, mayZip, type Link, type List } from './links.ts'
import { Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'
import { skeletonOf, stepOf, versionOf } from './skeleton.ts'
import { fill, readTemplate, type Values } from './template.ts'
import type { AssetId, Key, LinkRef, Visitor } from './validate.ts'
import { clock, counted, dateFormat, DAY, directionOf, loadStrings, pickLanguage, wordsOf } from './words.ts'
import type { Words } from './words.ts'

/** Items of one stretch of the list, which the page's script fetches at a time. */
const STRETCH = 500
/** Tiles on the first page for those without script, and on each that follows; those that load at once. */
const FIRST_TILES = 60
const MORE_TILES = 120
const EAGER_TILES = 20

/** How an expiry is written, in UTC until the page's script knows the visitor's zone. */
const EXPIRY = {
  day: 'numeric', month: 'long', year: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short'
} as const

/** px of the short side of Immich's previews (immich-api/README.md). */
const PREVIEW_SIDE = 1440

/** The address of a link as the visitor came to it, or of something below it. */
export const linkPath = (link: LinkRef, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest
/** With the version of the picture, so that a browser may keep it for long. */
const imagePath = (key: Key, { id, thumbhash }: Item, size: string): string =>
  `/share/photo/${key}/${id}/${size}?v=${versionOf(thumbhash)}`
const videoPath = (key: Key, { thumbhash }: Item, id: AssetId): string =>
  `/share/video/${key}/${id}?v=${versionOf(thumbhash)}`

/** What an item is called, by its number in the list from 0. */
const nameOf = ({ video }: Item, n: number, t: Words): string => `${video ? t.video : t.photo} ${n + 1}`

/** Whose page it is, of which link, and by which address of it. */
export type Place = { visitor: Visitor, ref: LinkRef, link: Link }
type Plain = 'home' | 'password' | 'notice'

export class Renderer {
  #settings: Settings
  /** the path below which the static files of this version are */
  #assets: string
  #templates: Record<Plain | 'gallery' | 'photo', string>
  #strings: Record<string, Words>
  /** the metadata fields that the operator tells, by Immich's names for them */
  #told: string[]

  constructor (settings: Settings, root: URL, assets: string) {
    const read = (name: string) => readTemplate(root, name)
    const { description, exif, location } = settings.showMetadata
    const flags = Object.entries({ description, ...exif, ...location })
    this.#settings = settings
    this.#assets = assets
    this.#templates = {
      home: read('home'), password: read('password'), notice: read('notice'),
      gallery: read('gallery'), photo: read('photo')
    }
    this.#strings = loadStrings(root)
    this.#told = flags.flatMap(([name, yes]) => yes && name !== 'webLink' ? [name] : [])
  }

  /** The language of a visitor's pages. */
  language = (visitor: Visitor): string => pickLanguage(visitor.languages(), this.#strings)

  #wording (visitor: Visitor): { t: Words, lang: string, dir: string, assets: string } {
    const lang = this.language(visitor)
    const t = wordsOf(lang, this.#strings)
    return { t, lang, dir: directionOf(lang), assets: this.#assets }
  }

  #titleOf = (link: Link, t: Words): string =>
    (this.#settings.showGalleryTitle && link.title) || t.sharedPhotos || ''

  #isTimed = (link: Link): boolean => link.showMetadata && this.#told.includes('dateTimeOriginal')

  #isDated = (link: Link): boolean => link.showMetadata && this.#settings.groupByDate !== false

  /** The number of an item's day since 1970, or of its month (year × 12 + month). */
  #groupOf ({ time }: Item): number {
    if (this.#settings.groupByDate !== 'month') return Math.floor(time / DAY)
    const taken = new Date(time)
    return taken.getUTCFullYear() * 12 + taken.getUTCMonth()
  }

  /** The days or months of items one after another, and how many of the items are of each. */
  #runsOf (link: Link, items: Item[]): [group: number, count: number][] {
    const runs: [number, number][] = []
    for (const item of items) {
      const group = this.#isDated(link) ? this.#groupOf(item) : 0
      const last = runs.at(-1)
      if (last?.[0] === group) last[1]++
      else runs.push([group, 1])
    }
    return runs
  }

  /** The heading of a day or month: a day has its year where that of the one `before` was another. */
  #heading (group: number, lang: string, before?: number): string {
    if (this.#settings.groupByDate === 'month') {
      const first = Date.UTC(Math.floor(group / 12), group % 12)
      return dateFormat(lang, { year: 'numeric', month: 'long' }).format(first)
    }
    const yearOf = (day: number) => new Date(day * DAY).getUTCFullYear()
    const isSameYear = before !== undefined && yearOf(before) === yearOf(group)
    const parts = { weekday: 'short', day: 'numeric', month: 'short' } as const
    return dateFormat(lang, isSameYear ? parts : { ...parts, year: 'numeric' }).format(group * DAY)
  }

  /** How many photos and videos, and from when to when. */
  #summary (link: Link, items: Item[], t: Words, lang: string): string {
    const videos = items.filter(item => item.video).length
    const mixed = videos === items.length ? 'videos' : 'items'
    const kind = videos === 0 ? 'photos' : mixed
    const count = counted(t, lang, kind, items.length)
    // the ends of the list are its ends in time; an album may be sorted either way
    const ends = [items[0]?.time ?? 0, items.at(-1)?.time ?? 0]
    const to = Math.max(...ends)
    if (!this.#isDated(link) || to === 0) return count
    const from = Math.min(...ends)
    // one day alone has no heading that would say it
    const isOneDay = Math.floor(from / DAY) === Math.floor(to / DAY)
    const months = { year: 'numeric', month: 'short' } as const
    return `${count} · ${dateFormat(lang, isOneDay ? { ...months, day: 'numeric' } : months).formatRange(from, to)}`
  }

  /**
   * Absolute addresses for those who show a link elsewhere; of what has a password nothing is shown anywhere.
   */
  #openGraph ({ visitor, ref, link }: Place, { items, byId }: List, picture?: Item): Values | false {
    const base = visitor.base()
    if (base === '' || link.protected) return false
    const chosen = link.album?.cover && byId.get(link.album.cover)
    const cover = picture ?? (chosen || items[0])
    const film = items.length === 1 ? items[0] : picture
    const ratio = cover?.ratio ?? 1
    return {
      type: film?.video ? 'video.other' : 'website',
      url: base + linkPath(ref, picture ? `/${picture.id}` : ''),
      cover: cover && base + imagePath(link.key, cover, 'preview'),
      // what Immich makes of it by default; robots take the shape of their frame from this
      width: Math.round(PREVIEW_SIDE * Math.max(1, ratio)),
      height: Math.round(PREVIEW_SIDE * Math.max(1, 1 / ratio)),
      film: film?.video && base + videoPath(link.key, film, film.id)
    }
  }

  /** What the page's script is told. */
  #options ({ visitor, ref, link }: Place, { items, version }: List): Values {
    const { t, lang } = this.#wording(visitor)
    const { key } = link
    const download = mayDownload(this.#settings, link)
    const { groupByDate, maxZoomQuality, singleItemAutoOpen, lightGallery } = this.#settings
    return {
      key, lang, version, t, download, lightGallery, home: linkPath(ref), stretch: STRETCH,
      zip: mayZip(this.#settings, link), runs: this.#runsOf(link, items),
      group: this.#isDated(link) && groupByDate, info: link.showMetadata && this.#told.length > 0,
      caption: link.showMetadata && this.#settings.showMetadata.description,
      zoom: maxZoomQuality === 'fullsize' && mayHaveOriginals(this.#settings, link),
      autoOpen: items.length === 1 && singleItemAutoOpen, map: this.#settings.showMetadata.location.webLink
    }
  }

  /** What gallery.html and photo.html share: texts, addresses, og: tags, and what is for the script. */
  #common (at: Place, list: List, picture?: Item, caption = '') {
    const { visitor, ref, link } = at
    const { showGalleryDescription, showExpiryDate } = this.#settings
    const { t, lang, dir, assets } = this.#wording(visitor)
    const { items } = list
    const name = this.#titleOf(link, t)
    const ends = showExpiryDate && link.expiresAt
    return {
      t, lang, dir, assets, name, script: true, title: caption || name, home: linkPath(ref),
      feed: !link.protected && linkPath(ref, '/feed.json'),
      about: showGalleryDescription ? link.description : '', summary: this.#summary(link, items, t, lang),
      og: this.#openGraph(at, list, picture), skeleton: skeletonOf(items),
      options: JSON.stringify(this.#options(at, list)),
      ends, expiry: ends && t.expires?.replace('{date}', dateFormat(lang, EXPIRY).format(ends)),
      partial: list.isPartial,
      zip: mayZip(this.#settings, link) && items.length > 0 && linkPath(ref, '/download')
    }
  }

  /**
   * The tiles of `items`, of which the first is number `from` of the list, under the headings of their days.
   */
  #sections ({ visitor, ref, link }: Place, { items: all }: List, items: Item[], from: number): Values[] {
    const { t, lang } = this.#wording(visitor)
    const date = dateFormat(lang, { dateStyle: 'long' })
    const taken = ({ time }: Item) => this.#isTimed(link) ? `, ${date.format(time)}` : ''
    const tiles = items.map((item, n) => ({
      n: from + n, step: stepOf(item.ratio), lazy: n >= EAGER_TILES, href: linkPath(ref, `/${item.id}`),
      src: imagePath(link.key, item, 'thumbnail'), length: item.video && clock(item.duration),
      motion: item.motion && !item.video, sphere: item.sphere,
      alt: nameOf(item, from + n, t) + taken(item)
    }))
    // a link of one day or month has no heading: its summary says it
    const dated = this.#isDated(link) && this.#runsOf(link, all).length > 1
    return this.#runsOf(link, items).map(([group, count], n, runs) =>
      ({ day: dated && this.#heading(group, lang, runs[n - 1]?.[0]), tiles: tiles.splice(0, count) }))
  }

  /** A page without a link. `values` are its texts by name. */
  plain (kind: Plain, visitor: Visitor, values: (words: Words) => Values): string {
    const words = this.#wording(visitor)
    return fill(this.#templates[kind], [{ ...words, ...values(words.t) }])
  }

  /** The gallery, or page `page` of it for those without script. Throws a Refusal beyond the last page. */
  gallery (at: Place, list: List, page: number): string {
    const from = page === 1 ? 0 : FIRST_TILES + (page - 2) * MORE_TILES
    const to = FIRST_TILES + (page - 1) * MORE_TILES
    const items = list.items.slice(from, to)
    if (items.length === 0 && page > 1) throw new Refusal('missing')
    return fill(this.#templates.gallery, [{
      ...this.#common(at, list), sections: this.#sections(at, list, items, from), empty: list.items.length === 0,
      missing: list.items.length === 1 && !list.items[0]?.thumbhash,
      previous: page > 1 && linkPath(at.ref, page > 2 ? `?page=${page - 1}` : ''),
      next: to < list.items.length && linkPath(at.ref, `?page=${page + 1}`)
    }])
  }

  /** The page of one photo or video. `details` where its description may be told. */
  photo (at: Place, list: List, item: Item, details?: Details): string {
    const { ref, link } = at
    const { key } = link
    const { id, video, motion, duration } = item
    const n = list.items.indexOf(item)
    const caption = details?.description ?? ''
    const values = this.#common(at, list, item, caption)
    const { t, lang } = values
    const beside = (other?: Item) => other && linkPath(ref, `/${other.id}`)
    const total = list.items.length.toLocaleString(lang)
    return fill(this.#templates.photo, [{
      ...values, caption, at: n, alt: caption || nameOf(item, n, t),
      position: t.position?.replace('{n}', (n + 1).toLocaleString(lang)).replace('{total}', total),
      previous: beside(list.items[n - 1]), next: beside(list.items[n + 1]),
      image: !video && imagePath(key, item, duration > 0 ? 'fullsize' : 'preview'),
      poster: imagePath(key, item, 'preview'), video: video && videoPath(key, item, id),
      motion: !video && motion && videoPath(key, item, motion),
      original: mayDownload(this.#settings, link) && imagePath(key, item, 'original'),
      // Immich makes it together with the preview
      missing: !item.thumbhash
    }])
  }

  /**
   * One stretch of the list as columns; times only where the operator and the owner both tell them. Throws a
   * Refusal beyond the last.
   */
  items (link: Link, { items: all, version }: List, stretch: number): string {
    const items = all.slice(stretch * STRETCH, (stretch + 1) * STRETCH)
    if (items.length === 0) throw new Refusal('missing')
    return JSON.stringify({
      version, id: items.map(({ id }) => id), thumbhash: items.map(({ thumbhash }) => thumbhash),
      duration: items.map(({ duration }) => duration > 0 ? clock(duration) : ''),
      motion: Object.fromEntries(items.flatMap(({ motion }, n) => motion ? [[n, motion]] : [])),
      sphere: items.flatMap(({ sphere }, n) => sphere ? [n] : []),
      ...this.#isTimed(link) && { time: items.map(({ time }) => Math.round(time / 1000)) }
    })
  }

  /**
   * Four characters an item, by which a browser tells later which photos it has not seen: the first three
   * bytes of its id, which are random.
   */
  marks ({ items, version }: List): string {
    const marks = Buffer.from(items.map(({ id }) => id.slice(0, 6)).join(''), 'hex').toString('base64')
    return JSON.stringify({ version, marks })
  }

  /**
   * A JSON Feed (https://www.jsonfeed.org/version/1.1/), a stretch of the list at a time, as page `page`.
   * Throws a Refusal beyond the last.
   */
  feed ({ visitor, ref, link }: Place, { items }: List, page: number): string {
    const { t, lang } = this.#wording(visitor)
    const base = visitor.base()
    const from = (page - 1) * STRETCH
    const shown = items.slice(from, page * STRETCH)
    if (shown.length === 0 && page > 1) throw new Refusal('missing')
    const address = (rest: string) => base + linkPath(ref, rest)
    return JSON.stringify({
      version: 'https://jsonfeed.org/version/1.1', language: lang,
      title: this.#titleOf(link, t),
      home_page_url: address(''), feed_url: address('/feed.json'),
      ...items.length > page * STRETCH && { next_url: address(`/feed.json?page=${page + 1}`) },
      items: shown.map((item, n) => ({
        id: item.id, url: address(`/${item.id}`), image: base + imagePath(link.key, item, 'preview'),
        content_text: nameOf(item, from + n, t),
        ...this.#isTimed(link) && { date_published: new Date(item.time).toISOString() }
      }))
    })
  }

  /** What the info panel may show of one item: the two yeses of promise 5, field by field. */
  meta (link: Link, { exif, name, time }: Details): Values {
    const { exifImageWidth: width, exifImageHeight: height } = exif
    const dimensions = width && height ? `${width} × ${height}` : ''
    const known: Values = { ...exif, originalFileName: name, dateTimeOriginal: time, dimensions }
    const fields = link.showMetadata ? this.#told.map(field => [field, known[field]] as const) : []
    const isTold = (value: unknown) => value !== '' && ['string', 'number'].includes(typeof value)
    return Object.fromEntries(fields.filter(([, value]) => isTold(value)))
  }
}
