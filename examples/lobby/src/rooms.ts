// All rooms, and who sits in which.
//   in  -> players who create, join and leave; ticks
//   out -> rooms, the room list, and what went wrong as a plain value
// A room is gone when its last player leaves. Knows nothing of calls.

import { Changes } from './changes.ts'
import type { RoomList } from './contract.ts'
import { type Player, Players } from './player.ts'
import { Room } from './room.ts'
import { seatCount, ticksPerSecond } from './rules.ts'

const maxRooms = 50
const linesPerSecond = 1
const mostLines = 5

export interface RoomsOptions {
  /** Makes a new room id. */
  readonly newId: () => string
  readonly onOver: (room: Room) => void
}

export interface Wish {
  readonly name: string
  readonly seats?: number | undefined
  readonly roundSeconds?: number | undefined
}

/** Why there is no seat, in the words of the contract. */
export type Refusal =
  | { readonly tag: 'NameTaken'; readonly suggestion: string }
  | { readonly tag: 'LobbyFull' }
  | { readonly tag: 'RoomFull'; readonly seats: number }
  | { readonly tag: 'NoSuchRoom' }

export interface Taken {
  readonly tag: 'Taken'
  readonly room: Room
  readonly seat: number
}

export class Rooms {
  readonly players: Players
  /** The list changed; running rounds change it once a second. */
  readonly changes = new Changes()
  readonly #options: RoomsOptions
  readonly #rooms = new Map<string, Room>()
  #tick = 0

  constructor(options: RoomsOptions) {
    this.#options = options
    this.players = new Players(() => this.#tick)
  }

  create(player: Player, wish: Wish): Taken | Refusal {
    const name = wish.name.trim() || 'Arena'
    if (this.#rooms.size >= maxRooms) return { tag: 'LobbyFull' }
    if (this.#named(name)) return { tag: 'NameTaken', suggestion: this.#suggest(name) }
    const { seats = seatCount, roundSeconds = 45 } = wish
    const roomId = this.#options.newId()
    const room = new Room({ roomId, name, seats, roundSeconds, onOver: this.#options.onOver })
    this.#rooms.set(roomId, room)
    return this.#sit(player, room)
  }

  join(player: Player, roomId: string): Taken | Refusal {
    const room = this.#rooms.get(roomId)
    return room === undefined ? { tag: 'NoSuchRoom' } : this.#sit(player, room)
  }

  #sit(player: Player, room: Room): Taken | Refusal {
    const seat = room.sit(player)
    if (seat === undefined) return { tag: 'RoomFull', seats: room.seats }
    if (player.roomId !== undefined && player.roomId !== room.roomId) this.leave(player)
    player.roomId = room.roomId
    this.changes.announce()
    return { tag: 'Taken', room, seat }
  }

  /** Gives up the seat, wherever it is. Ends the player's streams of that room. */
  leave(player: Player): void {
    const room = this.of(player)
    player.roomId = undefined
    if (room === undefined) return
    room.rise(player)
    if (room.players.length === 0) this.#rooms.delete(room.roomId)
    // His own streams are woken here, find no seat and end.
    room.frames.announce()
    room.said.announce()
    this.changes.announce()
  }

  /** The room in which this player sits. */
  of(player: Player): Room | undefined {
    return player.roomId === undefined ? undefined : this.#rooms.get(player.roomId)
  }

  /** Tells lists and rooms that somebody came, went, or has another name. */
  changed(player: Player): void {
    this.of(player)?.changes.announce()
    this.changes.announce()
  }

  /** False if this player talks too fast: five lines at once, then one a second. */
  maySpeak(player: Player): boolean {
    const earned = ((this.#tick - player.linesAt) / ticksPerSecond) * linesPerSecond
    player.lines = Math.min(mostLines, player.lines + earned)
    player.linesAt = this.#tick
    if (player.lines < 1) return false
    player.lines--
    return true
  }

  /** One twentieth of a second for every room. */
  tick(): void {
    this.#tick++
    let changed = false
    for (const room of this.#rooms.values()) {
      const before = room.phase
      room.tick()
      changed ||= room.phase !== before
      changed ||= room.phase === 'playing' && this.#tick % ticksPerSecond === 0
    }
    if (changed) this.changes.announce()
    if (this.#tick % ticksPerSecond === 0)
      for (const player of this.players.sweep()) this.leave(player)
  }

  list(): RoomList {
    return {
      rooms: [...this.#rooms.values()].map((room) => room.card()),
      online: this.players.online,
    }
  }

  #named(name: string): boolean {
    const folded = name.toLowerCase()
    return [...this.#rooms.values()].some((room) => room.name.toLowerCase() === folded)
  }

  /** The name with the first number that is free, within the length of a name. */
  #suggest(name: string): string {
    for (let number = 2; ; number++) {
      const suggestion = `${name.slice(0, 17)} ${number}`
      if (!this.#named(suggestion)) return suggestion
    }
  }
}
