// The handlers of the lobby: each turns a call into a line or two of `Rooms` and `Room`.
//   in  -> checked inputs, and the player in `call.context`
//   out -> answers, declared errors, streams
// Streams are async generators that yield the newest state: while the caller has no room for more
// they stand still, so a slow page misses pictures instead of piling them up.

import { lobby } from './contract.ts'
import { implement } from './context.ts'
import type { Message } from './contract.ts'
import type { Player, Reach } from './player.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

export interface LobbyParts {
  readonly rooms: Rooms
  /** Lets a bot take a seat in this room. */
  readonly sendBot: (room: Room) => void
}

/** The service; `rooms` is shared by everybody who is connected. */
export function lobbyService({ rooms, sendBot }: LobbyParts) {
  return implement(lobby, {
    enter: ({ name, bot = false }, { context: { player } }) => {
      const { playerId, roomId } = player
      player.name = name.trim() || player.name
      player.bot = bot
      rooms.changed(player)
      return { playerId, name: player.name, ...(roomId === undefined ? {} : { roomId }) }
    },

    rooms: async function* (_, call) {
      const turns = rooms.changes.watch(call.signal)
      for await (const _turn of whileHere(rooms, call.context.player, call.client, turns))
        yield rooms.list()
    },
    create: (wish, call) => {
      const made = rooms.create(call.context.player, wish)
      if (made.tag === 'Taken') return { roomId: made.room.roomId, seat: made.seat }
      if (made.tag !== 'NameTaken') throw call.errors.LobbyFull({})
      throw call.errors.NameTaken({ suggestion: made.suggestion })
    },
    join: ({ roomId }, call) => {
      const joined = rooms.join(call.context.player, roomId)
      if (joined.tag === 'Taken') return { roomId, seat: joined.seat }
      if (joined.tag !== 'RoomFull') throw call.errors.NoSuchRoom({})
      throw call.errors.RoomFull({ seats: joined.seats })
    },
    leave: (_, call) => rooms.leave(call.context.player),

    ready: ({ ready }, call) => {
      const room = rooms.of(call.context.player)
      if (room === undefined) throw call.errors.NotSeated({})
      room.setReady(call.context.player, ready)
    },
    invite: (_, call) => {
      const room = rooms.of(call.context.player)
      if (room === undefined) throw call.errors.NotSeated({})
      if (room.players.length >= room.seats) throw call.errors.RoomFull({ seats: room.seats })
      sendBot(room)
    },
    room: async function* (_, call) {
      const { player } = call.context
      const room = rooms.of(player)
      if (room === undefined) throw call.errors.NotSeated({})
      const turns = room.changes.watch(call.signal)
      for await (const _turn of whileHere(rooms, player, call.client, turns)) {
        if (!room.has(player)) return
        yield room.state()
      }
    },

    chat: ({ text }, call) => {
      const { player } = call.context
      const room = rooms.of(player)
      if (room === undefined) throw call.errors.NotSeated({})
      if (!rooms.maySpeak(player)) throw call.errors.TooFast({}, { retryAfterMs: 1_000 })
      room.say(player, text)
    },
    messages: async function* (_, call) {
      const room = rooms.of(call.context.player)
      if (room === undefined) throw call.errors.NotSeated({})
      let last: Message | undefined
      for await (const _turn of room.said.watch(call.signal)) {
        if (!room.has(call.context.player)) return
        for (last of room.messagesAfter(last?.seq ?? 0)) yield last
      }
    },

    play: async function* (_, call) {
      const { player } = call.context
      const room = rooms.of(player)
      if (room === undefined) throw call.errors.NotSeated({})
      // Two loops: one takes moves whenever they come, the other shows each tick.
      const steering = new AbortController()
      void steer(room, player, call.input).finally(() => steering.abort())
      const until = AbortSignal.any([call.signal, steering.signal])
      for await (const _turn of room.frames.watch(until)) {
        if (!room.has(player)) return
        if (room.phase !== 'waiting') yield room.snapshot()
      }
    },
  })
}

type Moves = AsyncIterable<Parameters<Room['intend']>[1]>

/** Ends with the last move, and just as quietly when the caller is gone. */
async function steer(room: Room, player: Player, moves: Moves): Promise<void> {
  try {
    for await (const move of moves) room.intend(player, move)
  } catch {
    // The call was cancelled or its connection lost: `call.signal` tells the other loop.
  } finally {
    room.intend(player, { dir: 'stay', splash: false })
  }
}

/** The same turns; the player counts as here, and can be called, until their loop ends. */
async function* whileHere(
  rooms: Rooms,
  player: Player,
  reach: Reach,
  turns: AsyncIterable<void>,
): AsyncGenerator<void, void, void> {
  rooms.players.arrive(player, reach)
  rooms.changed(player)
  try {
    yield* turns
  } finally {
    rooms.players.depart(player)
    rooms.changed(player)
  }
}
