// The first thing a visitor sees: what this is, a field for a name, and a game that runs by itself.
//   in  -> the name of last time
//   out -> a name
// The game beside it is the real one: the same rules, stepped in the page, with four bot brains.

import { chooseMove } from '../src/brain.ts'
import { type Intent, openArena, step, ticksPerSecond } from '../src/rules.ts'
import { Board } from './board.ts'
import { find } from './dom.ts'

const board = new Board(find('demo', HTMLCanvasElement))
const form = find('enter', HTMLFormElement)
const field = find('name', HTMLInputElement)

/** Calls `onName` with each name that is entered, until `signal` fires. */
export function showWelcome(
  name: string,
  onName: (name: string) => void,
  signal: AbortSignal,
): void {
  field.value = name
  field.focus()
  form.addEventListener(
    'submit',
    (event) => {
      event.preventDefault()
      if (field.value.trim() !== '') onName(field.value.trim())
    },
    { signal },
  )
  runDemo(signal)
}

function runDemo(signal: AbortSignal): void {
  const seats = [0, 1, 2, 3]
  const seconds = 40
  let arena = openArena(seats, seconds)
  board.clear()
  board.start()
  const timer = setInterval(() => {
    const intents = new Map<number, Intent>(seats.map((seat) => [seat, chooseMove(arena, seat)]))
    arena = step(arena, intents)
    if (arena.left === 0) arena = openArena(seats, seconds)
    board.show(arena)
  }, 1_000 / ticksPerSecond)
  signal.addEventListener('abort', () => {
    clearInterval(timer)
    board.stop()
  })
}
