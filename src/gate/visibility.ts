/** Which assets of an album or a link its visitors may see at all. */

/**
 * Whether holders of the link may see an asset: not in the trash, not hidden, not locked. With metadata off,
 * Immich 3.x does not say (recording 27).
 */
export const isVisible = (visibility: unknown, isTrashed: unknown): boolean =>
  isTrashed !== true && (visibility === undefined || visibility === 'timeline' || visibility === 'archive')
