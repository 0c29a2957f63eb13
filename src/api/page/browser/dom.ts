/*
 * What is shown is described by values (`h`) and put into the document by `patch`, which changes
 * only what differs: what has the focus keeps it, and a screen reader hears only what is new. Texts
 * become text nodes and attributes, never markup.
 */

export interface Described {
  readonly tag: string
  readonly attributes: Attributes
  readonly children: readonly Child[]
}

export type Attributes = Readonly<Record<string, string | number | boolean | null | Listener>>
type Listener = (event: Event) => void
export type Child = Described | string | null

const SVG = 'http://www.w3.org/2000/svg'
const listeners = new WeakMap<Element, Map<string, Listener>>()

/** Attributes that begin with `on` are listeners; null and false are left out. */
export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): Described {
  return { tag, attributes, children }
}

export function patch(parent: Element, children: readonly Child[]): void {
  const wanted = children.filter((child) => child !== null)
  for (const [index, child] of wanted.entries()) {
    const before = parent.childNodes[index] ?? null
    if (typeof child === 'string') patchText(parent, before, child)
    else patchElement(parent, before, child)
  }
  while (parent.childNodes.length > wanted.length) parent.lastChild?.remove()
}

function patchText(parent: Element, before: ChildNode | null, text: string): void {
  if (before instanceof Text) {
    if (before.data !== text) before.data = text
  } else if (before === null) parent.append(text)
  else before.replaceWith(text)
}

function patchElement(parent: Element, before: ChildNode | null, wanted: Described): void {
  const { tag, attributes, children } = wanted
  let element: Element
  // What is about something else is made anew: it must not keep the other's state (`open`, focus).
  const key = typeof attributes['data-key'] === 'string' ? attributes['data-key'] : null
  const isSame =
    before instanceof Element && before.localName === tag && before.getAttribute('data-key') === key
  if (isSame) element = before
  else {
    const inSvg = tag === 'svg' || parent.namespaceURI === SVG
    element = inSvg ? document.createElementNS(SVG, tag) : document.createElement(tag)
    if (before === null) parent.append(element)
    else before.replaceWith(element)
  }
  patchAttributes(element, attributes)
  patch(element, children)
}

function patchAttributes(element: Element, attributes: Attributes): void {
  const wanted = new Map<string, string>()
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') listen(element, name.slice(2), value)
    else if (value !== null && value !== false)
      wanted.set(name, value === true ? '' : String(value))
  }
  for (const { name } of [...element.attributes]) {
    // Whoever opened it keeps it open.
    if (!wanted.has(name) && name !== 'open') element.removeAttribute(name)
  }
  for (const [name, value] of wanted) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value)
  }
}

/** One listener an event: the newest takes the place of the one before. */
function listen(element: Element, event: string, listener: Listener): void {
  const known = listeners.get(element) ?? new Map<string, Listener>()
  listeners.set(element, known)
  if (!known.has(event)) {
    element.addEventListener(event, (happened) => known.get(event)?.(happened))
  }
  known.set(event, listener)
}
