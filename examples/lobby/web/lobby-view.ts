// The lobby: rooms as they are right now, and a form for a new one.
//   in  -> the stream of room lists
//   out -> a seat in a room
// Cards are kept by room and only changed where they differ, so that nothing jumps or loses focus.

import { safe } from '@callbox/client'
import type { RoomCard, RoomList } from '../src/contract.ts'
import { around, height, openArena, type Tiles, width } from '../src/rules.ts'
import { colourOf } from './colours.ts'
import { client, follow } from './connection.ts'
import { find, make } from './dom.ts'
import { notify } from './notices.ts'

const cards = find('cards', HTMLUListElement)
const form = find('create', HTMLFormElement)
const field = find('room-name', HTMLInputElement)
const problem = find('create-problem', HTMLParagraphElement)
const shown = new Map<string, Card>()

interface Card {
  readonly item: HTMLLIElement
  readonly map: HTMLCanvasElement
  readonly phase: HTMLElement
  readonly players: HTMLElement
  readonly join: HTMLButtonElement
}

/** Shows the list until `signal` fires; `onSeat` when there is a seat. */
export function showLobby(name: string, onSeat: () => void, signal: AbortSignal): void {
  // What it showed last time may be long gone.
  showList({ rooms: [], online: 0 }, onSeat)
  problem.hidden = true
  field.value = `${name}'s arena`.slice(0, field.maxLength)
  form.addEventListener(
    'submit',
    (event) => {
      event.preventDefault()
      void create(onSeat)
    },
    { signal },
  )
  const open = (options: { signal: AbortSignal }) => client.lobby.rooms(undefined, options)
  void follow(open, (list) => showList(list, onSeat), signal)
}

async function create(onSeat: () => void): Promise<void> {
  const wish = new FormData(form)
  const [error] = await safe(
    client.lobby.create({
      name: field.value.trim() || 'Arena',
      seats: Number(wish.get('seats')),
      roundSeconds: Number(wish.get('seconds')),
    }),
  )
  if (error === undefined) return onSeat()
  problem.hidden = false
  if (error.tag === 'NameTaken') {
    const { suggestion } = error.data
    const take = make('button', { class: 'link', text: suggestion })
    take.type = 'button'
    take.addEventListener('click', () => {
      field.value = suggestion
      problem.hidden = true
    })
    problem.replaceChildren('That name is taken. ', take, '?')
  } else if (error.tag === 'LobbyFull') problem.textContent = 'There are too many rooms already.'
  else problem.textContent = `That did not work: ${error.code}`
}

async function join(roomId: string, onSeat: () => void): Promise<void> {
  const [error] = await safe(client.lobby.join({ roomId }))
  if (error === undefined) return onSeat()
  if (error.tag === 'RoomFull') notify(`All ${error.data.seats} seats are taken.`, 'bad')
  else if (error.tag === 'NoSuchRoom') notify('That room is gone.', 'bad')
  else notify(`That did not work: ${error.code}`, 'bad')
}

function showList({ rooms, online }: RoomList, onSeat: () => void): void {
  find('online', HTMLElement).textContent = online === 0 ? '' : `${online} online`
  find('room-count', HTMLElement).textContent = rooms.length === 0 ? '' : String(rooms.length)
  find('no-rooms', HTMLElement).hidden = rooms.length > 0
  const ids = new Set(rooms.map((room) => room.roomId))
  for (const [roomId, card] of shown) {
    if (ids.has(roomId)) continue
    card.item.remove()
    shown.delete(roomId)
  }
  for (const room of rooms) {
    let card = shown.get(room.roomId)
    if (card === undefined) {
      card = makeCard(room)
      card.join.addEventListener('click', () => void join(room.roomId, onSeat))
      shown.set(room.roomId, card)
      cards.append(card.item)
    }
    fillCard(card, room)
  }
}

function makeCard(room: RoomCard): Card {
  const map = make('canvas', { class: 'map' })
  map.width = width
  map.height = height
  map.ariaHidden = 'true'
  const phase = make('span', { class: 'phase' })
  const players = make('ul', { class: 'dots' })
  const join = make('button', { class: 'primary', text: 'Join', testId: 'join' })
  join.type = 'button'
  join.setAttribute('aria-label', `Join ${room.name}`)
  const foot = make('div', { class: 'card-foot' }, players, join)
  const head = make('div', { class: 'card-head' }, make('h3', { text: room.name }), phase)
  const item = make('li', { class: 'card', testId: 'room-card' }, map, head, foot)
  return { item, map, phase, players, join }
}

function fillCard(card: Card, room: RoomCard): void {
  const full = room.players.length >= room.seats
  card.item.dataset['phase'] = room.phase
  card.phase.textContent =
    room.phase === 'playing'
      ? `${room.secondsLeft} s left`
      : { waiting: 'open', countdown: 'starting', results: 'results' }[room.phase]
  card.join.disabled = full
  card.join.textContent = full ? 'Full' : 'Join'
  card.players.replaceChildren(
    ...Array.from({ length: room.seats }, (_, seat) => {
      const player = room.players.find((one) => one.seat === seat)
      const dot = make('li', { class: player?.away ? 'dot away' : 'dot' })
      if (player !== undefined) dot.style.setProperty('--seat', colourOf(seat))
      dot.classList.toggle('taken', player !== undefined)
      dot.title = player?.name ?? 'free seat'
      dot.append(make('span', { class: 'name', text: player?.name ?? 'free' }))
      return dot
    }),
  )
  drawMap(card.map, room)
}

/** A tile is a pixel; without a round, the corners of those who sit there. */
function drawMap(map: HTMLCanvasElement, room: RoomCard): void {
  const context = map.getContext('2d')
  if (context === null) return
  context.clearRect(0, 0, width, height)
  const paint = (owner: number, x: number, y: number): void => {
    context.fillStyle = colourOf(owner - 1)
    context.fillRect(x, y, 1, 1)
  }
  if (room.tiles !== undefined) return paintTiles(room.tiles, paint)
  for (const { seat } of room.players) {
    const painter = openArena([seat], 0).painters[0]
    if (painter !== undefined)
      for (const [x, y] of around(painter.x, painter.y)) paint(seat + 1, x, y)
  }
}

function paintTiles(tiles: Tiles, paint: (owner: number, x: number, y: number) => void): void {
  for (const [at, owner] of tiles.entries()) {
    if (owner > 0) paint(owner, at % width, Math.floor(at / width))
  }
}
