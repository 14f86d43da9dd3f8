// The bots that people invite.
//   in  -> rooms that want a bot
//   out -> bots that come over TCP, play, and are gone with the last person
// They run in the server's process, but go through its TCP port like any other client.

import { AsyncResource } from 'node:async_hooks'
import type { Transport } from '@callbox/client'
import { Bot } from './bot.ts'
import type { Room } from './room.ts'

const maxBots = 20
const names = ['Roller', 'Sponge', 'Stencil', 'Palette', 'Bristle', 'Primer']

export class Bots {
  readonly #transport: () => Transport
  readonly #running = new Set<Bot>()
  // A call made while handling another call has its deadline and its cancellation. A bot outlives
  // the call that invited it, so it starts outside of that.
  readonly #outside = new AsyncResource('lobby bots')
  #sent = 0

  constructor(transport: () => Transport) {
    this.#transport = transport
  }

  /** Sends a bot to this room, unless there are too many already. */
  send(room: Room): void {
    if (this.#running.size >= maxBots) return
    const name = `${names[this.#sent++ % names.length]}`
    const bot = new Bot({ transport: this.#transport(), name, bot: true, rematch: true })
    this.#running.add(bot)
    this.#outside.runInAsyncScope(() => void this.#run(bot, room.roomId))
  }

  async #run(bot: Bot, roomId: string): Promise<void> {
    try {
      await bot.enter()
      const { seat } = await bot.client.lobby.join({ roomId })
      await bot.play(seat)
    } catch {
      // The seat was taken or the room closed before it arrived: it goes home.
    } finally {
      this.#running.delete(bot)
      await bot.close()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((bot) => bot.close()))
  }
}
