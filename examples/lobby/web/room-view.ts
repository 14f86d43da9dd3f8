// A room: its painters, its chat and its game.
//   in  -> three streams: the room, its messages, the snapshots of the game
//   out -> ready, invite, chat, leave, and moves up the stream of the game
// Everything shown comes from the server; the page decides nothing.

import { isError } from '@callbox/client'
import { lobby, type Message, type Move } from '../src/contract.ts'
import type { RoomState, SeatState, Snapshot } from '../src/contract.ts'
import { height, ticksPerSecond, width } from '../src/rules.ts'
import { Board } from './board.ts'
import { showMessage } from './chat.ts'
import { colourOf } from './colours.ts'
import { client, follow } from './connection.ts'
import { listenToControls } from './controls.ts'
import { find, make } from './dom.ts'
import { explain } from './notices.ts'
import { fillOverlay } from './overlay.ts'

const canvas = find('board', HTMLCanvasElement)
const board = new Board(canvas)
const players = find('players', HTMLUListElement)
const messages = find('messages', HTMLOListElement)
const share = find('share', HTMLElement)
const clock = find('clock', HTMLElement)
const chatForm = find('chat', HTMLFormElement)
const chatText = find('chat-text', HTMLInputElement)

export interface RoomVisit {
  /** Tells this page's own player from the others. */
  readonly isMine: (player: SeatState) => boolean
  /** The seat is given up, or lost for this reason. */
  readonly left: (reason?: string) => void
  readonly signal: AbortSignal
}

/** Shows the room in which this player has a seat until `signal` fires. */
export function showRoom({ isMine, left, signal }: RoomVisit): void {
  let state: RoomState | undefined
  board.clear()
  board.start()
  signal.addEventListener('abort', () => board.stop())
  messages.replaceChildren()
  showShares([])

  const show = (next: RoomState): void => {
    if (next.phase === 'playing' && state?.phase !== 'playing') focusBoard()
    state = next
    showState(next, isMine)
  }
  const mayLeave = (error?: unknown): void => {
    if (signal.aborted) return
    left(
      error === undefined || isError(error, lobby.room, 'NotSeated') ? undefined : explain(error),
    )
  }
  follow((options) => client.lobby.room(undefined, options), show, signal).then(mayLeave, mayLeave)
  listenToChat(signal)
  playGame(() => state, signal)
  listenToButtons(() => state?.players.find(isMine), left, signal)
}

function listenToButtons(
  mine: () => SeatState | undefined,
  left: () => void,
  signal: AbortSignal,
): void {
  const onClick = (id: string, act: () => Promise<void>): void =>
    find(id, HTMLButtonElement).addEventListener('click', () => void act(), { signal })
  onClick('ready', () => client.lobby.ready({ ready: mine()?.ready !== true }))
  onClick('invite', () => client.lobby.invite())
  onClick('leave', async () => {
    await client.lobby.leave()
    if (!signal.aborted) left()
  })
}

/** The backlog comes again after a reconnect: what is there already is not shown twice. */
function listenToChat(signal: AbortSignal): void {
  let last = 0
  const show = (message: Message): void => {
    if (message.seq <= last) return
    last = message.seq
    showMessage(messages, message)
  }
  follow((options) => client.lobby.messages(undefined, options), show, signal).catch(
    () => undefined,
  )
  chatForm.addEventListener(
    'submit',
    (event) => {
      event.preventDefault()
      void say(chatText.value.trim())
    },
    { signal },
  )
}

async function say(text: string): Promise<void> {
  if (text === '') return
  chatText.value = ''
  try {
    await client.lobby.chat({ text })
  } catch (error) {
    if (!isError(error, lobby.chat, 'TooFast')) throw error
    chatText.value = text
    chatText.setCustomValidity('Not so fast.')
    chatText.reportValidity()
    setTimeout(() => chatText.setCustomValidity(''), error.retryAfterMs ?? 1_000)
  }
}

/** One bidi call as long as the room is shown: moves up, snapshots down. */
function playGame(state: () => RoomState | undefined, signal: AbortSignal): void {
  let match: ReturnType<typeof client.lobby.play> | undefined
  let waiting: Move | undefined
  let sending = false
  // A mailbox of one: without credit the newest move takes the place of the one that waits.
  const send = async (move: Move): Promise<void> => {
    waiting = { dir: move.dir, splash: move.splash || waiting?.splash === true }
    if (sending) return
    sending = true
    try {
      for (let next: Move | undefined = waiting; next !== undefined; next = waiting) {
        waiting = undefined
        await match?.send(next)
      }
    } catch {
      // The link is gone; `follow` opens the call again.
    } finally {
      sending = false
    }
  }
  const open = (options: { signal: AbortSignal }) => (match = client.lobby.play(undefined, options))
  follow(open, (snapshot) => showSnapshot(snapshot, state()), signal).catch(() => undefined)
  const pad = document.querySelector<HTMLElement>('.pad')
  if (pad === null) return
  const splash = find('splash', HTMLButtonElement)
  listenToControls({ board: canvas, pad, splash }, (move) => void send(move), signal)
}

function showState(state: RoomState, isMine: (player: SeatState) => boolean): void {
  const own = state.players.find(isMine)
  find('room-title', HTMLElement).textContent = state.name
  document.body.style.setProperty('--own', own === undefined ? '#ffffff' : colourOf(own.seat))
  board.label(new Map(state.players.map((player) => [player.seat, player.name])), own?.seat)
  if (state.phase === 'waiting' || state.phase === 'countdown') {
    board.clear()
    showShares([])
  }
  clock.hidden = state.phase !== 'playing'
  fillOverlay(state, own)
  const rows = state.players.map((player) => playerRow(player, player === own, state))
  players.replaceChildren(...rows)
}

function playerRow(player: SeatState, mine: boolean, state: RoomState): HTMLLIElement {
  const { seat, name, bot, ready, away, wins } = player
  const status = away
    ? 'reconnecting'
    : state.phase === 'playing'
      ? ''
      : ready
        ? 'ready'
        : 'not ready'
  const label = make('span', { class: 'name', text: name })
  if (mine) label.append(make('small', { text: 'you' }))
  if (bot) label.append(make('small', { text: 'bot' }))
  // Snapshots fill it in; a new row takes over what the old one showed.
  const shown = document.getElementById(`score-${seat}`)?.textContent ?? '0'
  const text = state.phase === 'waiting' || state.phase === 'countdown' ? '0' : shown
  const score = make('span', { class: 'score', text, testId: `score-${seat}` })
  score.id = `score-${seat}`
  const row = make(
    'li',
    { testId: `player-${seat}`, class: 'player' },
    make('i', { class: 'swatch' }),
    label,
    make('span', { class: 'status', text: status }),
    make('span', { class: 'wins', text: wins === 0 ? '' : `★ ${wins}` }),
    score,
  )
  row.style.setProperty('--seat', colourOf(seat))
  row.dataset['ready'] = String(ready)
  row.dataset['seat'] = String(seat)
  row.classList.toggle('away', away)
  row.classList.toggle('winner', state.phase === 'results' && state.winners.includes(seat))
  return row
}

function showSnapshot(snapshot: Snapshot, state: RoomState | undefined): void {
  board.show(snapshot)
  const seconds = Math.ceil(snapshot.left / ticksPerSecond)
  clock.textContent = String(seconds)
  clock.classList.toggle('late', seconds <= 5)
  showShares(snapshot.scores)
  for (const player of state?.players ?? []) {
    const score = document.getElementById(`score-${player.seat}`)
    if (score !== null) score.textContent = String(snapshot.scores[player.seat] ?? 0)
  }
}

/** The floor as one bar: how much of it belongs to whom. */
function showShares(scores: readonly number[]): void {
  while (share.children.length < 4) share.append(make('i'))
  for (const [seat, part] of [...share.children].entries()) {
    if (!(part instanceof HTMLElement)) continue
    part.style.setProperty('--seat', colourOf(seat))
    part.style.width = `${((scores[seat] ?? 0) / (width * height)) * 100}%`
  }
}

/** Keys go to the game when a round begins, unless somebody is in the middle of a sentence. */
function focusBoard(): void {
  if (document.activeElement === chatText && chatText.value !== '') return
  canvas.focus({ preventScroll: true })
  canvas.closest('.court')?.scrollIntoView()
}
