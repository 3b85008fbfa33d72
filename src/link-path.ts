/** The address of a link. */
import type { LinkAddress } from './validate.ts'

/** The path of a link, by the key or slug that the visitor used, or of something below it. */
export const linkPath = (link: LinkAddress, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest
