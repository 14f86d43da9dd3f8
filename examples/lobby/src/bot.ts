// A player without a page: takes a seat, gets ready, chats, plays by `brain.ts`.
//   in  -> a transport to the server (a bot uses TCP, the self-check WebSocket too), and a room
//   out -> what it did and saw, in numbers
// A client like any other: all it knows of the server is the contract.

import { randomBytes } from 'node:crypto'
import { type Client, createClient, isError, type Transport } from '@callbox/client'
import { chooseMove } from './brain.ts'
import { type Move, type RoomState, lobby } from './contract.ts'

export interface BotOptions {
  readonly transport: Transport
  readonly name: string
  /** A bot leaves when only bots are left; a scripted player that is no bot does not. */
  readonly bot: boolean
  /** Whether it wants another round. */
  readonly rematch: boolean
}

/** What happened so far. */
export interface BotCounts {
  calls: number
  snapshots: number
  /** Tiles of the last snapshot. */
  tiles: number
  /** Chat lines of other players. */
  heard: number
  /** Questions that the server asked. */
  asked: number
  readonly errors: string[]
}

export class Bot {
  readonly counts: BotCounts = {
    calls: 0,
    snapshots: 0,
    tiles: 0,
    heard: 0,
    asked: 0,
    errors: [],
  }
  readonly client: Client<{ lobby: typeof lobby }>
  readonly #options: BotOptions
  #state: RoomState | undefined
  #listeners = new Set<() => void>()

  constructor(options: BotOptions) {
    this.#options = options
    const token = randomBytes(16).toString('hex')
    this.client = createClient({ lobby }, options.transport, {
      credential: () => token,
      interceptors: [
        async (_call, next) => {
          this.counts.calls++
          return next()
        },
      ],
    })
    this.client.handle(lobby, {
      notice: () => undefined,
      confirm: () => {
        this.counts.asked++
        return { yes: options.rematch }
      },
    })
  }

  /** The room as last seen. */
  get state(): RoomState | undefined {
    return this.#state
  }

  async enter(): Promise<void> {
    await this.client.lobby.enter({ name: this.#options.name, bot: this.#options.bot })
  }

  /** Plays in the room where it has a seat until it leaves or `close` is called. */
  async play(seat: number): Promise<void> {
    // Caught from the start: one of them may end while `ready` is on its way.
    const watching = [this.#watchRoom(), this.#listen(seat), this.#steer(seat)].map((one) =>
      one.catch((error: unknown) => this.#note(error)),
    )
    await this.client.lobby.ready({ ready: true })
    await Promise.all(watching)
  }

  /** Waits until the room is as `test` wants it, or `signal` fires. */
  async until(test: (state: RoomState) => boolean, signal: AbortSignal): Promise<void> {
    while (this.#state === undefined || !test(this.#state)) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#listeners.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#listeners.add(wake)
        signal.addEventListener('abort', wake)
      })
    }
  }

  async close(): Promise<void> {
    await this.client.close()
  }

  async #watchRoom(): Promise<void> {
    for await (const state of this.client.lobby.room()) {
      this.#state = state
      for (const listener of this.#listeners) listener()
      const alone = state.players.every((player) => player.bot)
      if (this.#options.bot && alone) await this.client.lobby.leave()
    }
  }

  async #listen(seat: number): Promise<void> {
    for await (const message of this.client.lobby.messages()) {
      if (message.seat !== undefined && message.seat !== seat) this.counts.heard++
    }
  }

  async #steer(seat: number): Promise<void> {
    const match = this.client.lobby.play()
    let last: Move = { dir: 'stay', splash: false }
    for await (const snapshot of match) {
      this.counts.snapshots++
      this.counts.tiles = snapshot.scores[seat] ?? 0
      const move = chooseMove(snapshot, seat)
      if (move.dir === last.dir && !move.splash) continue
      last = move
      await match.send(move)
    }
  }

  /** The end of the connection is how a bot is sent away: no error. */
  #note(error: unknown): void {
    if (this.client.state === 'closed' || isError(error, lobby.room, 'NotSeated')) return
    this.counts.errors.push(String(error))
  }
}
