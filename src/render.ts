/** HTML pages from a `Share`, which holds nothing that the visitor may not see. */
import type { Facts, Item, Share } from './gate/gate.ts'
import { headingOf, spanOf } from './page/headings.ts'
import { layoutData, runsOf, stepOf } from './page/layout-data.ts'
import { STRETCH } from './page/list-json.ts'
import { fill, readTemplate } from './page/template.ts'
import {
  clock, counted, dateFormat, directionOf, loadStrings, pickLanguage, wordsOf, type Strings, type Words
} from './page/words.ts'
import { Refusal } from './refusal.ts'
import { imagePath, linkPath, videoPath } from './urls.ts'
import type { LinkAddress } from './validate.ts'

/** without JavaScript: tiles on the first page, tiles on each further page, tiles that load at once */
const FIRST_TILES = 60
const MORE_TILES = 120
const EAGER_TILES = 20
/** the format of an expiry, in UTC until the page's script knows the visitor's time zone */
const EXPIRY = {
  day: 'numeric', month: 'long', year: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short'
} as const
/** px of the short side of Immich's previews, unless its administrator changed that */
const PREVIEW_SIDE = 1440

/** The settings that pages depend on. */
type PageSettings = {
  groupByDate: 'day' | 'month' | false, showGalleryTitle: boolean, showExpiryDate: boolean
  singleItemAutoOpen: boolean, lightGallery: unknown, showMetadata: { location: { webLink: boolean } }
}
/** Where a page is shown. `base` is the site's own address, '' if unknown. */
export type Place = { link: LinkAddress, language: string, base: string }

/** The values that every template needs. */
type Wording = { t: Words, lang: string, dir: 'ltr' | 'rtl', assets: string }
/** The values of pages that show nothing of a link. */
type CardValues = {
  home: Record<never, never>
  notice: { text: string, isTemporary: boolean }
  password: { key?: string, slug?: string, next: string, problem?: string }
}
type Card = keyof CardValues
type OpenGraph = {
  type: string, url: string, cover?: string, width: number, height: number, videoUrl?: string
}
/** Values that gallery.html and photo.html share. */
type LinkValues = Wording & {
  script: true, title: string, heading: string, home: string, about: string
  summary: string, og: OpenGraph | false, skeleton: string, runs: string, options: string
  expiry?: string, ends?: number, partial: boolean
  download: { href: string, word: string | undefined } | false
}
type Tile = {
  n: number, step: number, lazy: boolean, href: string, src: string, length: string | false
  motion: boolean, sphere: boolean, alt: string
}
type Section = { day: string | false, tiles: Tile[] }
type GalleryValues = LinkValues & {
  sections: Section[], empty: boolean, missing: boolean, previous: string | false, next: string | false
}
type PhotoValues = LinkValues & {
  caption: string, at: number, alt: string, position: string, previous?: string, next?: string
  image: string | false, poster: string, video: string | false, motion: string | false
  original: string | false, missing: boolean
}

/** The name of an item by its position, counted from 0. */
const nameOf = ({ isVideo }: Item, n: number, t: Words): string => `${isVideo ? t.video : t.photo} ${n + 1}`

/** Makes all pages, from templates that are read once. */
export class Renderer {
  #settings: PageSettings
  #unit: 'day' | 'month'
  /** the path of the static files of this version */
  #assets: string
  #templates: Record<Card | 'gallery' | 'photo', string>
  #strings: Strings

  constructor (settings: PageSettings, root: URL, assets: string) {
    const read = (name: string) => readTemplate(root, name)
    this.#settings = settings
    this.#unit = settings.groupByDate || 'day'
    this.#assets = assets
    this.#templates = {
      home: read('home'), password: read('password'), notice: read('notice'),
      gallery: read('gallery'), photo: read('photo')
    }
    this.#strings = loadStrings(root)
  }

  /** The best language for these preferences, which come best first. */
  language = (languages: string[]): string => pickLanguage(languages, this.#strings)
  words = (language: string): Words => wordsOf(this.#strings, language)

  #wording (language: string): Wording {
    return { t: this.words(language), lang: language, dir: directionOf(language), assets: this.#assets }
  }

  /** A page that shows nothing of a link. */
  card<C extends Card> (card: C, language: string, title: string, values: CardValues[C]): string {
    return fill(this.#templates[card], [{ ...this.#wording(language), title, ...values }])
  }

  /** The number of photos and videos, and the months that they span. */
  #summary (share: Share, { t, lang }: Wording): string {
    const { items, days } = share
    const { videos } = layoutData(share)
    const mixed = videos === items.length ? 'videos' : 'items'
    const count = counted(t, lang, videos === 0 ? 'photos' : mixed, items.length)
    const span = days ? spanOf(days, this.#unit, lang) : ''
    return span ? `${count} · ${span}` : count
  }

  /** Values for previews in chats; false for a protected link. */
  #openGraph (share: Share, { link, base }: Place, picture?: Item): OpenGraph | false {
    if (base === '' || share.isProtected) return false
    const cover = picture ?? share.cover
    const subject = share.items.length === 1 ? share.items[0] : picture
    const ratio = cover?.ratio ?? 1
    return {
      type: subject?.isVideo ? 'video.other' : 'website',
      url: base + linkPath(link, picture ? `/${picture.id}` : ''),
      ...cover && { cover: base + imagePath(share.key, cover, 'preview') },
      // robots size their frame for the preview that Immich makes by default
      width: Math.round(PREVIEW_SIDE * Math.max(1, ratio)),
      height: Math.round(PREVIEW_SIDE * Math.max(1, 1 / ratio)),
      ...subject?.isVideo && { videoUrl: base + videoPath(share.key, subject, subject.id) }
    }
  }

  /** JSON for the page's script. */
  #options (share: Share, { link }: Place, { t, lang }: Wording): string {
    const { key, version, can, tells, items, days } = share
    const { groupByDate, singleItemAutoOpen, lightGallery, showMetadata } = this.#settings
    return JSON.stringify({
      key, lang, version, t, download: can.download, lightGallery, home: linkPath(link), stretch: STRETCH,
      zip: can.zip, group: days !== undefined && groupByDate,
      info: tells.facts, caption: tells.description, zoom: can.zoom,
      autoOpen: items.length === 1 && singleItemAutoOpen, map: showMetadata.location.webLink
    })
  }

  #linkValues (share: Share, place: Place, picture?: Item, caption = ''): LinkValues {
    const { link } = place
    const { showGalleryTitle, showExpiryDate } = this.#settings
    const wording = this.#wording(place.language)
    const { t, lang } = wording
    const name = share.title || t.sharedPhotos || ''
    const ends = showExpiryDate ? share.expiresAt : undefined
    const { skeleton, runsJson } = layoutData(share)
    return {
      ...wording, script: true, title: caption || name, heading: showGalleryTitle ? name : '',
      home: linkPath(link), about: share.description, summary: this.#summary(share, wording),
      og: this.#openGraph(share, place, picture), skeleton, runs: runsJson,
      options: this.#options(share, place, wording),
      ...ends !== undefined && {
        ends, expiry: t.expires?.replace('{date}', dateFormat(lang, EXPIRY).format(ends)) ?? ''
      },
      partial: share.isPartial, download: this.#download(share, link, t)
    }
  }

  /** The link that downloads everything: a zip, or the file itself if there is only one. */
  #download ({ key, can, items }: Share, link: LinkAddress, t: Words): LinkValues['download'] {
    const [only] = items
    if (!can.zip || !only) return false
    const isAlone = items.length === 1 && can.download
    if (isAlone) return { href: imagePath(key, only, 'original'), word: t.download }
    return { href: linkPath(link, '/download'), word: t.downloadAll }
  }

  /** Tiles under the headings of their days, from position `from` up to `to`. */
  #sections (share: Share, { link }: Place, { t, lang }: Wording, from: number, to: number): Section[] {
    const { key, items, days, times } = share
    const date = dateFormat(lang, { dateStyle: 'long' })
    const tiles = items.slice(from, to).map((item, index): Tile => {
      const n = from + index
      const time = times?.[n]
      return {
        n, step: stepOf(item.ratio), lazy: index >= EAGER_TILES, href: linkPath(link, `/${item.id}`),
        src: imagePath(key, item, 'thumbnail'), length: item.isVideo && clock(item.duration),
        motion: item.motion !== undefined && !item.isVideo, sphere: item.isSphere,
        alt: nameOf(item, n, t) + (time === undefined ? '' : `, ${date.format(time)}`)
      }
    })
    const runs = runsOf(days?.slice(from, to), tiles.length)
    // if there is only one day or month, the summary names it
    const hasHeadings = days !== undefined && layoutData(share).runs.length > 1
    return runs.map(([day, count], n) => ({
      day: hasHeadings && headingOf(day, this.#unit, lang, runs[n - 1]?.[0]), tiles: tiles.splice(0, count)
    }))
  }

  /** The gallery; `page`, without JavaScript, counts from 1. Throws a Refusal (missing) beyond the last. */
  gallery (share: Share, place: Place, page: number): string {
    const { items } = share
    const from = page === 1 ? 0 : FIRST_TILES + (page - 2) * MORE_TILES
    const to = FIRST_TILES + (page - 1) * MORE_TILES
    if (from >= items.length && page > 1) throw new Refusal('missing')
    const common = this.#linkValues(share, place)
    const values: GalleryValues = {
      ...common, sections: this.#sections(share, place, common, from, to), empty: items.length === 0,
      missing: items.length === 1 && !items[0]?.thumbhash,
      previous: page > 1 && linkPath(place.link, page > 2 ? `?page=${page - 1}` : ''),
      next: to < items.length && linkPath(place.link, `?page=${page + 1}`)
    }
    return fill(this.#templates.gallery, [values])
  }

  /** The page of one photo or video; its caption is the description in `facts`. */
  photo (share: Share, place: Place, item: Item, facts: Facts): string {
    const { key, items } = share
    const { id, isVideo, motion, duration } = item
    const n = layoutData(share).positions.get(item) ?? 0
    const caption = String(facts.description ?? '')
    const common = this.#linkValues(share, place, item, caption)
    const { t, lang } = common
    const pathTo = (other?: Item) => other && linkPath(place.link, `/${other.id}`)
    const previous = pathTo(items[n - 1])
    const next = pathTo(items[n + 1])
    const total = items.length.toLocaleString(lang)
    const values: PhotoValues = {
      ...common, caption, at: n, alt: caption || nameOf(item, n, t),
      position: t.position?.replace('{n}', (n + 1).toLocaleString(lang)).replace('{total}', total) ?? '',
      ...previous && { previous }, ...next && { next },
      image: !isVideo && imagePath(key, item, duration > 0 ? 'fullsize' : 'preview'),
      poster: imagePath(key, item, 'preview'), video: isVideo && videoPath(key, item, id),
      motion: !isVideo && motion !== undefined && videoPath(key, item, motion),
      original: share.can.download && imagePath(key, item, 'original'),
      // Immich makes thumbhash and preview together
      missing: !item.thumbhash
    }
    return fill(this.#templates.photo, [values])
  }
}
