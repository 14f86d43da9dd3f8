// What stands over the board while no round runs.
//   in  -> the state of the room
//   out -> a big word, a line under it, and the buttons that make sense now

import type { RoomState, SeatState } from '../src/contract.ts'
import { colourOf } from './colours.ts'
import { find } from './dom.ts'

const overlay = find('overlay', HTMLElement)
const big = find('overlay-big', HTMLElement)
const line = find('overlay-text', HTMLElement)
const ready = find('ready', HTMLButtonElement)
const invite = find('invite', HTMLButtonElement)

export function fillOverlay(state: RoomState, own: SeatState | undefined): void {
  overlay.hidden = state.phase === 'playing'
  overlay.dataset['phase'] = state.phase
  ready.textContent = own?.ready === true ? 'Not yet' : 'Ready'
  ready.setAttribute('aria-pressed', String(own?.ready === true))
  ready.classList.toggle('pressed', own?.ready === true)
  // While results are on show the server itself asks for another round.
  ready.hidden = state.phase === 'results'
  invite.hidden = state.players.length >= state.seats || state.phase !== 'waiting'
  const [word, text] = words(state, own)
  if (big.textContent !== word) restart(big)
  big.textContent = word
  line.textContent = text
  const winner = state.phase === 'results' ? state.winners[0] : undefined
  big.style.setProperty('--seat', winner === undefined ? '' : colourOf(winner))
}

function words(state: RoomState, own: SeatState | undefined): readonly [big: string, line: string] {
  const waitingFor = state.players.filter((player) => !player.ready).length
  if (state.phase === 'countdown') return [String(state.secondsLeft), 'Get ready']
  if (state.phase === 'results') return [verdict(state, own), 'Rematch? The server asks everybody.']
  if (state.players.length < 2)
    return ['Who is in?', 'It takes two. Wait for a friend or add a bot.']
  if (own?.ready !== true) return ['Ready?', `${state.players.length} painters are here.`]
  return [
    'Ready',
    waitingFor === 1 ? 'Waiting for one painter.' : `Waiting for ${waitingFor} painters.`,
  ]
}

function verdict(state: RoomState, own: SeatState | undefined): string {
  if (own !== undefined && state.winners.includes(own.seat))
    return state.winners.length === 1 ? 'You win!' : 'A draw!'
  const winner = state.players.find((player) => player.seat === state.winners[0])
  return winner === undefined ? 'Round over' : `${winner.name} wins`
}

/** Plays the entrance of an element again. */
function restart(element: HTMLElement): void {
  element.classList.remove('pop')
  void element.offsetWidth
  element.classList.add('pop')
}
