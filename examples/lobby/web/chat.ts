// One line of the chat.
//   in  -> a message
//   out -> a list item; the list stays at its end unless somebody has scrolled up

import type { Message } from '../src/contract.ts'
import { colourOf } from './colours.ts'
import { make } from './dom.ts'

const mostLines = 100

export function showMessage(list: HTMLOListElement, { seat, name, text }: Message): void {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  const line = make('li', { testId: 'message' })
  if (seat === undefined) {
    line.className = 'system'
    line.textContent = text
  } else {
    line.style.setProperty('--seat', colourOf(seat))
    line.append(make('b', { text: name }), ` ${text}`)
  }
  list.append(line)
  while (list.children.length > mostLines) list.firstElementChild?.remove()
  if (atEnd) list.scrollTop = list.scrollHeight
}
