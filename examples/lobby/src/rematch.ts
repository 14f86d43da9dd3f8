// After a round the server calls its clients: who won, and another round?
//   in  -> a room whose round is over
//   out -> the players who said yes are ready
// Only people are told the result in a notice; bots are asked like everybody.

import type { Room } from './room.ts'

/** Asks everybody at once; an answer that comes after the results are gone does not count. */
export async function askForRematch(room: Room): Promise<void> {
  const state = room.state()
  const winners = state.players.filter((one) => state.winners.includes(one.seat))
  const text =
    winners.length === 1
      ? `${winners[0]?.name} wins the round`
      : `A draw: ${winners.map((one) => one.name).join(', ')}`
  await Promise.all(
    room.players.map(async (player) => {
      if (player.reach === undefined) return
      try {
        if (!player.bot) await player.reach.notice({ text })
        const question = { question: `${text}. Another round?`, yes: 'Rematch', no: 'Not now' }
        const { yes } = await player.reach.confirm(question)
        if (yes && room.phase === 'results') room.setReady(player, true)
      } catch {
        // Away, or no answer in time: not ready, and the seat is kept as long as any.
      }
    }),
  )
}
