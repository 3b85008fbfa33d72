// @ts-check
/** A photo that grows out of its tile and returns to it, by the browser's view transitions. */

const NAME = 'photo'
const isCalm = matchMedia('(prefers-reduced-motion: reduce)')

/**
 * Changes the page by `change`, which may return a picture; the picture `before` glides there. Without view
 * transitions, or where motion is to be reduced, the page changes at once. Resolves when it has changed.
 * @param {HTMLElement | null | undefined} before @param {() => HTMLElement | null | undefined} change
 */
export async function glide (before, change) {
  if (!before || !document.startViewTransition || isCalm.matches) {
    change()
    return
  }
  before.style.viewTransitionName = NAME
  /** @type {HTMLElement | null | undefined} */
  let after
  const transition = document.startViewTransition(() => {
    before.style.viewTransitionName = ''
    after = change()
    if (after) after.style.viewTransitionName = NAME
  })
  const forget = () => { if (after) after.style.viewTransitionName = '' }
  // another change ends this one's motion before its time
  transition.ready.catch(forget)
  transition.finished.then(forget, forget)
  await transition.updateCallbackDone
}
