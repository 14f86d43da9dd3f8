// Keys, touch pad and drags on the board, as moves.
//   in  -> events of keyboard and pointers
//   out -> a move whenever it changes
// The latest key that is still held decides.

import type { Move } from '../src/contract.ts'

type Direction = Exclude<Move['dir'], 'stay'>

const keys: ReadonlyMap<string, Direction> = new Map([
  ['ArrowUp', 'up'],
  ['ArrowDown', 'down'],
  ['ArrowLeft', 'left'],
  ['ArrowRight', 'right'],
  // By place, so that they are in the same spot on every keyboard layout.
  ['KeyW', 'up'],
  ['KeyS', 'down'],
  ['KeyA', 'left'],
  ['KeyD', 'right'],
])

/** Pixels that a finger moves before it steers. */
const dragPixels = 14

export interface ControlElements {
  readonly board: HTMLElement
  readonly pad: HTMLElement
  readonly splash: HTMLElement
}

/** Listens until `signal` fires. */
export function listenToControls(
  elements: ControlElements,
  onMove: (move: Move) => void,
  signal: AbortSignal,
): void {
  const held: Direction[] = []
  const press = (dir: Direction): void => {
    release(dir, false)
    held.push(dir)
    tell(false)
  }
  const release = (dir: Direction, thenTell = true): void => {
    const at = held.indexOf(dir)
    if (at >= 0) held.splice(at, 1)
    if (at >= 0 && thenTell) tell(false)
  }
  const releaseAll = (): void => {
    held.length = 0
    tell(false)
  }
  const tell = (splash: boolean): void => onMove({ dir: held.at(-1) ?? 'stay', splash })

  listenToKeys(press, release, () => tell(true), signal)
  listenToPad(elements.pad, press, release, signal)
  listenToDrags(elements.board, press, releaseAll, signal)
  elements.splash.addEventListener('pointerdown', () => tell(true), { signal })
  // Keys that are let go in another window are never reported here.
  window.addEventListener('blur', releaseAll, { signal })
}

function listenToKeys(
  press: (dir: Direction) => void,
  release: (dir: Direction) => void,
  splash: () => void,
  signal: AbortSignal,
): void {
  const listen = (type: 'keydown' | 'keyup'): void =>
    document.addEventListener(
      type,
      (event) => {
        const dir = keys.get(event.code)
        if (type === 'keyup' && dir !== undefined) return release(dir)
        if (type === 'keyup' || isElsewhere(event)) return
        if (dir === undefined && event.code !== 'Space') return
        // Arrows and the space bar would scroll the page.
        event.preventDefault()
        if (event.repeat) return
        if (dir === undefined) splash()
        else press(dir)
      },
      { signal },
    )
  listen('keydown')
  listen('keyup')
}

/** True where a key means something else: in a field, on a button, as a shortcut. */
function isElsewhere(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey) return true
  const target = event.target
  if (target instanceof HTMLInputElement) return true
  return target instanceof HTMLButtonElement && event.code === 'Space'
}

function listenToPad(
  pad: HTMLElement,
  press: (dir: Direction) => void,
  release: (dir: Direction) => void,
  signal: AbortSignal,
): void {
  for (const button of pad.querySelectorAll<HTMLElement>('[data-dir]')) {
    const dir = [...keys.values()].find((one) => one === button.dataset['dir'])
    if (dir === undefined) continue
    button.addEventListener(
      'pointerdown',
      (event) => {
        button.setPointerCapture(event.pointerId)
        press(dir)
      },
      { signal },
    )
    for (const type of ['pointerup', 'pointercancel'] as const)
      button.addEventListener(type, () => release(dir), { signal })
  }
}

/** A finger or a mouse that is dragged over the board is a joystick. */
function listenToDrags(
  board: HTMLElement,
  press: (dir: Direction) => void,
  releaseAll: () => void,
  signal: AbortSignal,
): void {
  let from: { x: number; y: number } | undefined
  let last: Direction | undefined
  const start = (event: PointerEvent): void => {
    from = { x: event.clientX, y: event.clientY }
    board.setPointerCapture(event.pointerId)
  }
  const move = (event: PointerEvent): void => {
    if (from === undefined) return
    const dx = event.clientX - from.x
    const dy = event.clientY - from.y
    if (Math.hypot(dx, dy) < dragPixels) return
    const across = Math.abs(dx) > Math.abs(dy)
    const dir = across ? (dx > 0 ? 'right' : 'left') : dy > 0 ? 'down' : 'up'
    if (dir === last) return
    last = dir
    press(dir)
  }
  const end = (): void => {
    if (from !== undefined) releaseAll()
    from = last = undefined
  }
  board.addEventListener('pointerdown', start, { signal })
  board.addEventListener('pointermove', move, { signal })
  for (const type of ['pointerup', 'pointercancel'] as const)
    board.addEventListener(type, end, { signal })
}
