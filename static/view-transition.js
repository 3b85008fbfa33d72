// @ts-check
/** Lets a photo grow out of its tile and return to it, by view transitions. */

const NAME = 'photo'
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)')

/**
 * Changes the page by `change`, which may return a picture; the picture `before` glides there. Without view
 * transitions, or where motion is to be reduced, the page changes at once. `changed` resolves when it has
 * changed, `finished` when nothing moves any more.
 * @param {HTMLElement | null | undefined} before @param {() => HTMLElement | null | undefined} change
 */
export function glide (before, change) {
  if (!before || !document.startViewTransition || reducedMotion.matches) {
    change()
    return { changed: Promise.resolve(), finished: Promise.resolve() }
  }
  before.style.viewTransitionName = NAME
  /** @type {HTMLElement | null | undefined} */
  let after
  const transition = document.startViewTransition(() => {
    before.style.viewTransitionName = ''
    after = change()
    if (after) after.style.viewTransitionName = NAME
    document.body.classList.add('gliding')
  })
  const end = () => {
    if (after) after.style.viewTransitionName = ''
    document.body.classList.remove('gliding')
  }
  // another change ends this one's motion before its time
  transition.ready.catch(() => {})
  return { changed: transition.updateCallbackDone, finished: transition.finished.then(end, end) }
}
