// Two ways to get an element: find one that index.html has, or make one.
//   in  -> ids and tag names
//   out -> elements with their exact type

/** The element with this id. Throws if index.html has no such element. */
export function find<E extends HTMLElement>(id: string, type: new () => E): E {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`)
  return element
}

/** A new element; text is set as text, never as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: { class?: string; text?: string; testId?: string } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (options.class !== undefined) element.className = options.class
  if (options.text !== undefined) element.textContent = options.text
  if (options.testId !== undefined) element.dataset['testid'] = options.testId
  element.append(...children)
  return element
}
