// @ts-check
/** Small helpers for elements, and what is said to the visitor. */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [fields] properties; those with a dash are attributes
 * @param {...(Node | string)} children
 */
export function make (tag, fields = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(fields)) {
    if (name.includes('-') || name === 'role') element.setAttribute(name, String(value))
    else Object.assign(element, { [name]: value })
  }
  element.append(...children)
  return element
}

/** @param {Event} event @param {string} selector @returns {HTMLElement | null} */
export const closest = ({ target }, selector) =>
  target instanceof Element ? target.closest(selector) : null

/** Adds a stylesheet that lies beside this file, and waits for it. @param {string} name */
export const addStyle = name => new Promise((onload, onerror) => document.head.append(
  make('link', { rel: 'stylesheet', href: new URL(name, import.meta.url).href, onload, onerror })))

/** @param {string} path */
export function icon (path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  const shape = document.createElementNS(svg.namespaceURI, 'path')
  shape.setAttribute('d', path)
  svg.append(shape)
  return svg
}

/** @param {string} label @param {string} path @param {(event: Event) => void} onclick */
export const iconButton = (label, path, onclick) =>
  make('button', { type: 'button', className: 'icon', title: label, ariaLabel: label, onclick }, icon(path))

export const ICONS = {
  play: 'M8 5v14l11-7z', select: 'M9 11l3 3 8-9M20 12v8H4V4h10', tick: 'M4 12l5 5L20 6',
  close: 'M6 6l12 12M18 6 6 18', share: 'M12 15V4m0 0L8 8m4-4 4 4M5 12v7h14v-7'
}

/** ms for which something that is said is seen, and as many for each character of it. */
const SEEN = 4000
const EACH = 100
const toast = document.body.appendChild(make('div', { className: 'toast', role: 'status' }))
let hiding = 0
/** Says something to everybody: seen for a moment, and read out. @param {string} text */
export function say (text, isSeen = true) {
  toast.classList.toggle('seen', isSeen)
  toast.textContent = text
  clearTimeout(hiding)
  hiding = window.setTimeout(() => {
    toast.classList.remove('seen')
    toast.textContent = ''
  }, SEEN + text.length * EACH)
}
