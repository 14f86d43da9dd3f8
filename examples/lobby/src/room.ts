// One room: its seats, its chat, and the phases of a round.
//   in  -> who sits, who is ready, what painters want, ticks
//   out -> state and snapshots; `changes`, `frames` and `said` tell when to look again
// Time is counted in ticks, so a test runs a whole round at once. Knows nothing of calls.
//
//   waiting --all ready--> countdown --3 s--> playing --round over--> results --8 s--> waiting
//                  ^------someone not ready------'                        '--all ready--> countdown

import { Changes } from './changes.ts'
import type { Message, Move, Phase, RoomCard, RoomState, Snapshot } from './contract.ts'
import type { Player } from './player.ts'
import { type Arena, type Intent, addPainter, openArena, scores, step } from './rules.ts'
import { ticksPerSecond, winners } from './rules.ts'

const countdownTicks = 3 * ticksPerSecond
const resultsTicks = 8 * ticksPerSecond
const leastPlayers = 2
const keptMessages = 50

interface Seat {
  readonly seat: number
  readonly player: Player
  ready: boolean
  wins: number
  /** The direction that is held, and one that was tapped and let go before the painter could. */
  held: Move['dir']
  tapped: Move['dir']
  splash: boolean
}

export interface RoomOptions {
  readonly roomId: string
  readonly name: string
  readonly seats: number
  readonly roundSeconds: number
  /** The round is over; its winners are in `state()`. */
  readonly onOver: (room: Room) => void
}

export class Room {
  readonly roomId: string
  readonly name: string
  readonly seats: number
  /** Who sits where, or whether the round runs. */
  readonly changes = new Changes()
  /** The arena, once a tick while the round runs. */
  readonly frames = new Changes()
  /** The chat. */
  readonly said = new Changes()
  readonly #roundSeconds: number
  readonly #onOver: (room: Room) => void
  readonly #taken = new Map<string, Seat>()
  readonly #messages: Message[] = []
  #seq = 0
  #phase: Phase = 'waiting'
  /** Of the countdown or the results. */
  #ticksLeft = 0
  #arena: Arena = openArena([], 0)
  #winners: number[] = []

  constructor(options: RoomOptions) {
    this.roomId = options.roomId
    this.name = options.name
    this.seats = options.seats
    this.#roundSeconds = options.roundSeconds
    this.#onOver = options.onOver
  }

  get phase(): Phase {
    return this.#phase
  }

  get players(): Player[] {
    return [...this.#taken.values()].map((seat) => seat.player)
  }

  has(player: Player): boolean {
    return this.#taken.has(player.playerId)
  }

  /** The seat that he has or gets; undefined when all are taken. Enters a running round too. */
  sit(player: Player): number | undefined {
    const had = this.#taken.get(player.playerId)
    if (had !== undefined) return had.seat
    const used = new Set([...this.#taken.values()].map((one) => one.seat))
    const free = Array.from({ length: this.seats }, (_, at) => at).find((at) => !used.has(at))
    if (free === undefined) return undefined
    const seat: Seat = {
      seat: free,
      player,
      ready: false,
      wins: 0,
      held: 'stay',
      tapped: 'stay',
      splash: false,
    }
    this.#taken.set(player.playerId, seat)
    if (this.#phase === 'playing') this.#arena = addPainter(this.#arena, free)
    this.#announce(`${player.name} is here`)
    return free
  }

  /** Gives the seat up; nothing if he has none. */
  rise(player: Player): void {
    if (!this.#taken.delete(player.playerId)) return
    this.#announce(`${player.name} left`)
  }

  setReady(player: Player, ready: boolean): void {
    const seat = this.#taken.get(player.playerId)
    if (seat === undefined || seat.ready === ready) return
    seat.ready = ready
    this.changes.announce()
  }

  /** Remembers what he wants until the next tick. */
  intend(player: Player, move: Move): void {
    const seat = this.#taken.get(player.playerId)
    if (seat === undefined) return
    seat.held = move.dir
    // A key that goes down and up between two ticks still moves one tile.
    if (move.dir !== 'stay') seat.tapped = move.dir
    if (move.splash) seat.splash = true
  }

  say(player: Player, text: string): void {
    const seat = this.#taken.get(player.playerId)
    if (seat !== undefined) this.#keep({ seat: seat.seat, name: player.name, text })
  }

  /** Messages after this one, as far as they are kept. */
  messagesAfter(seq: number): readonly Message[] {
    return this.#messages.filter((message) => message.seq > seq)
  }

  /** One twentieth of a second. */
  tick(): void {
    if (this.#phase === 'playing') this.#tickRound()
    else this.#tickLobby()
  }

  /** One tick of every phase but the round. */
  #tickLobby(): void {
    const go = this.#allReady()
    if (this.#phase === 'countdown' && !go) return this.#turn('waiting', 0)
    if (this.#phase !== 'countdown' && go) return this.#turn('countdown', countdownTicks)
    if (this.#phase === 'waiting') return
    this.#ticksLeft--
    if (this.#ticksLeft > 0) {
      if (this.#ticksLeft % ticksPerSecond === 0) this.changes.announce()
    } else if (this.#phase === 'countdown') this.#start()
    else this.#turn('waiting', 0)
  }

  #allReady(): boolean {
    const seats = [...this.#taken.values()]
    return seats.length >= leastPlayers && seats.every((seat) => seat.ready)
  }

  #start(): void {
    this.#winners = []
    for (const seat of this.#taken.values())
      Object.assign(seat, { held: 'stay', tapped: 'stay', splash: false })
    this.#arena = openArena(
      [...this.#taken.values()].map((seat) => seat.seat).sort((a, b) => a - b),
      this.#roundSeconds,
    )
    this.#turn('playing', 0)
    this.frames.announce()
  }

  #tickRound(): void {
    const intents = new Map<number, Intent>()
    for (const seat of this.#taken.values()) {
      const dir = seat.held === 'stay' ? seat.tapped : seat.held
      intents.set(seat.seat, { dir, splash: seat.splash })
    }
    const before = this.#arena
    this.#arena = step(before, intents)
    for (const seat of this.#taken.values()) {
      // A tap is spent once its painter could have moved.
      if (before.painters.find((one) => one.seat === seat.seat)?.wait === 0) seat.tapped = 'stay'
      seat.splash = false
    }
    this.frames.announce()
    if (this.#arena.left === 0) this.#finish()
  }

  #finish(): void {
    const here = new Map([...this.#taken.values()].map((seat) => [seat.seat, seat]))
    this.#winners = winners(this.#arena).filter((seat) => here.has(seat))
    for (const seat of here.values()) {
      seat.ready = false
      if (this.#winners.includes(seat.seat)) seat.wins++
    }
    const names = this.#winners.map((seat) => here.get(seat)?.player.name).join(' and ')
    this.#turn('results', resultsTicks)
    this.#keep({ name: this.name, text: names === '' ? 'Nobody wins' : `${names} won the round` })
    this.#onOver(this)
  }

  #turn(phase: Phase, ticks: number): void {
    this.#phase = phase
    this.#ticksLeft = ticks
    this.changes.announce()
  }

  /** The room says something about its seats. */
  #announce(text: string): void {
    this.#keep({ name: this.name, text })
    this.changes.announce()
  }

  #keep(message: Omit<Message, 'seq'>): void {
    this.#messages.push({ seq: ++this.#seq, ...message })
    if (this.#messages.length > keptMessages) this.#messages.shift()
    this.said.announce()
  }

  state(): RoomState {
    return {
      roomId: this.roomId,
      name: this.name,
      phase: this.#phase,
      seats: this.seats,
      roundSeconds: this.#roundSeconds,
      secondsLeft: Math.ceil(this.#ticksLeft / ticksPerSecond),
      players: [...this.#taken.values()].map(({ seat, player, ready, wins }) => ({
        seat,
        playerId: player.playerId,
        name: player.name,
        bot: player.bot,
        ready,
        away: player.streams === 0,
        wins,
      })),
      winners: this.#winners,
    }
  }

  snapshot(): Snapshot {
    const { tick, left, tiles, painters } = this.#arena
    return {
      tick,
      left,
      tiles,
      painters: painters.map(({ seat, x, y, dir, cooldown }) => ({ seat, x, y, dir, cooldown })),
      scores: scores(tiles),
    }
  }

  /** How the room list shows it. */
  card(): RoomCard {
    const playing = this.#phase === 'playing'
    return {
      roomId: this.roomId,
      name: this.name,
      phase: this.#phase,
      seats: this.seats,
      secondsLeft: playing ? Math.ceil(this.#arena.left / ticksPerSecond) : 0,
      players: this.state().players.map(({ seat, name, away }) => ({ seat, name, away })),
      ...(playing ? { tiles: this.#arena.tiles } : {}),
    }
  }
}
