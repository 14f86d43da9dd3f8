// Who is behind a seat token, and how to reach them.
//   in  -> tokens of the page, streams that open and close
//   out -> `Player`, the same one for the same token
// A player is here while one of his streams is open. After that his seat is kept for a while, which
// is what carries it through a reload.

import { RpcError } from '@callbox/core'
import { ticksPerSecond } from './rules.ts'

/** Ticks that a seat, and the player himself, are kept without a connection. */
export const keepTicks = 20 * ticksPerSecond
/** Without it anybody could make players until memory ends. */
const maxPlayers = 2_000

/** Calls on the page or bot of a player: the `client` part of the contract. */
export interface Reach {
  confirm(
    input: { question: string; yes: string; no: string },
    options?: { signal?: AbortSignal | undefined },
  ): Promise<{ yes: boolean }>
  notice(input: { text: string }): Promise<void>
}

export interface Player {
  readonly playerId: string
  readonly token: string
  name: string
  bot: boolean
  /** The room in which he has a seat. */
  roomId: string | undefined
  /** His open streams. */
  streams: number
  /** Tick at which the last stream closed. */
  lastSeen: number
  /** How to call him; the newest connection, if he has several. */
  reach: Reach | undefined
  /** Chat lines that he may say at once, and the tick at which that was true. */
  lines: number
  linesAt: number
}

export class Players {
  readonly #byToken = new Map<string, Player>()
  readonly #now: () => number
  #made = 0

  /** `now` is the tick. */
  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * The player of a token, a new one for a new token. Throws `unauthenticated` for what is not a
   * token and `resource_exhausted` when there are too many players.
   */
  of(token: unknown): Player {
    if (typeof token !== 'string' || token.length < 16 || token.length > 64)
      throw new RpcError('unauthenticated', 'a seat token has 16 to 64 characters')
    const known = this.#byToken.get(token)
    if (known !== undefined) return known
    if (this.#byToken.size >= maxPlayers)
      throw new RpcError('resource_exhausted', 'the lobby is full', { retryAfterMs: 10_000 })
    const player: Player = {
      playerId: `p${++this.#made}`,
      token,
      name: 'Guest',
      bot: false,
      roomId: undefined,
      streams: 0,
      lastSeen: this.#now(),
      reach: undefined,
      lines: 5,
      linesAt: this.#now(),
    }
    this.#byToken.set(token, player)
    return player
  }

  /** A stream of this player opened; he may have been forgotten in between. */
  arrive(player: Player, reach: Reach): void {
    this.#byToken.set(player.token, player)
    player.streams++
    player.reach = reach
  }

  /** The stream closed. */
  depart(player: Player): void {
    player.streams--
    player.lastSeen = this.#now()
    if (player.streams === 0) player.reach = undefined
  }

  /** Forgets who has been away too long and gives him, for his seat. */
  *sweep(): Generator<Player, void, void> {
    for (const player of this.#byToken.values()) {
      if (player.streams > 0 || this.#now() - player.lastSeen < keepTicks) continue
      this.#byToken.delete(player.token)
      yield player
    }
  }

  /** People who are here now; bots are not people. */
  get online(): number {
    let count = 0
    for (const player of this.#byToken.values()) if (player.streams > 0 && !player.bot) count++
    return count
  }
}
