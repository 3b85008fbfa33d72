// @ts-check
/** Helpers for making elements, and `say`, which shows the visitor a message. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, unknown>} [fields] its properties
 * @param {...(Node | string)} children
 */
export function make (tag, fields = {}, ...children) {
  const element = Object.assign(document.createElement(tag), fields)
  element.append(...children)
  return element
}

/** @param {Event} event @param {string} selector @returns {HTMLElement | null} */
export const closest = ({ target }, selector) =>
  target instanceof Element ? target.closest(selector) : null

/** Adds a stylesheet from this file's folder and waits until it is loaded. @param {string} name */
export const addStyle = name => new Promise((onload, onerror) => document.head.append(
  make('link', { rel: 'stylesheet', href: new URL(name, import.meta.url).href, onload, onerror })))

/** An icon of the set in `templates/icons.html`, which is part of every page. @param {string} name */
export function icon (name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const use = document.createElementNS(svg.namespaceURI, 'use')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  use.setAttribute('href', `#i-${name}`)
  svg.append(use)
  return svg
}

/**
 * A square button with an icon; its label is read out and shown as a tooltip.
 * @param {string} label @param {string} name of the icon @param {(event: Event) => void} onclick
 * @param {string} [className] @param {...Node} words after the icon
 */
export const iconButton = (label, name, onclick, className = '', ...words) => make('button', {
  type: 'button', className: `icon-button ${className}`, title: label, ariaLabel: label, onclick
}, icon(name), ...words)

/** How long a message is visible, and how much longer for each character. */
const VISIBLE_MS = 4000
const CHARACTER_MS = 100
const toast = document.body.appendChild(make('div', { className: 'toast', role: 'status' }))
let hiding = 0
/** Shows a message for a moment and has screen readers read it. @param {string} text */
export function say (text, isSeen = true) {
  toast.classList.toggle('seen', isSeen)
  toast.textContent = text
  clearTimeout(hiding)
  hiding = window.setTimeout(() => {
    toast.classList.remove('seen')
    toast.textContent = ''
  }, VISIBLE_MS + text.length * CHARACTER_MS)
}

/** Hides the message if it is still `text`. @param {string} text */
export function unsay (text) {
  if (toast.textContent === text) say('', false)
}
