// What every handler of this server knows about its caller.
//   in  -> the credential of a connection: the seat token
//   out -> the player behind it, as `call.context.player`

import { type Hello, implementFor } from '@callbox/server'
import type { Player, Players } from './player.ts'

export interface Context {
  readonly player: Player
}

export const implement = implementFor<Context>()

/** The page makes its token itself and keeps it: who has it, has the seat. Nothing to look up. */
export function authenticateWith(players: Players): (hello: Hello) => Context {
  return ({ credential }) => ({ player: players.of(credential) })
}
