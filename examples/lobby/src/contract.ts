// The whole surface of the lobby: every message between page, bots and server is one of these.
//   in  -> TypeBox schemas
//   out -> `lobby`, a plain value that both sides import
// No handlers and no validator: the browser bundle contains this file.

import { Bytes, bidi, contract, event, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

const Name = T.String({ minLength: 1, maxLength: 20 })

/** Seats are numbered from 0; the number is also the colour. */
const SeatNumber = T.Integer({ minimum: 0, maximum: 3 })

const Direction = T.Union([
  T.Literal('up'),
  T.Literal('down'),
  T.Literal('left'),
  T.Literal('right'),
  T.Literal('stay'),
])

const Phase = T.Union([
  T.Literal('waiting'),
  T.Literal('countdown'),
  T.Literal('playing'),
  T.Literal('results'),
])

/** Owner of each tile, row by row: 0 is bare, 1 to 4 is seat 0 to 3. */
const Tiles = Bytes()

/** `roomId` is there for whoever still has a seat: a reload takes the page back to it. */
const Me = T.Object({ playerId: T.String(), name: Name, roomId: T.Optional(T.String()) })

const RoomCard = T.Object({
  roomId: T.String(),
  name: Name,
  phase: Phase,
  players: T.Array(T.Object({ seat: SeatNumber, name: Name, away: T.Boolean() })),
  seats: T.Integer(),
  /** Of a running round. */
  secondsLeft: T.Integer(),
  /** The floor of a running round, about once a second. */
  tiles: T.Optional(Tiles),
})

const RoomList = T.Object({ rooms: T.Array(RoomCard), online: T.Integer() })

const SeatState = T.Object({
  seat: SeatNumber,
  playerId: T.String(),
  name: Name,
  bot: T.Boolean(),
  ready: T.Boolean(),
  /** The connection is down; the seat is kept for a while. */
  away: T.Boolean(),
  wins: T.Integer(),
})

const RoomState = T.Object({
  roomId: T.String(),
  name: Name,
  phase: Phase,
  seats: T.Integer(),
  roundSeconds: T.Integer(),
  /** Of the countdown, or of the results on show. */
  secondsLeft: T.Integer(),
  players: T.Array(SeatState),
  /** Seats that won the last round; two or more is a draw. */
  winners: T.Array(SeatNumber),
})

/** What the room said; without a seat it is the room itself that speaks. */
const Message = T.Object({
  seq: T.Integer(),
  seat: T.Optional(SeatNumber),
  name: T.String(),
  text: T.String(),
})

const Move = T.Object({ dir: Direction, splash: T.Boolean() })

const Snapshot = T.Object({
  tick: T.Integer(),
  /** Ticks until the round is over. */
  left: T.Integer(),
  tiles: Tiles,
  painters: T.Array(
    T.Object({
      seat: SeatNumber,
      x: T.Integer(),
      y: T.Integer(),
      dir: Direction,
      /** Ticks until the next splash. */
      cooldown: T.Integer(),
    }),
  ),
  /** Tiles of each seat, by seat number. */
  scores: T.Array(T.Integer()),
})

const Taken = T.Object({ roomId: T.String(), seat: SeatNumber })
const None = T.Object({})

export const lobby = contract(
  'lobby',
  {
    /** Says who is behind the seat token, or takes a new name. */
    enter: unary({
      input: T.Object({ name: Name, bot: T.Optional(T.Boolean()) }),
      output: Me,
      idempotent: true,
    }),
    /** The room list: at once, and after every change. */
    rooms: serverStream({ output: RoomList }),
    create: unary({
      input: T.Object({
        name: Name,
        seats: T.Optional(T.Integer({ minimum: 2, maximum: 4 })),
        roundSeconds: T.Optional(T.Integer({ minimum: 10, maximum: 60 })),
      }),
      output: Taken,
      errors: { NameTaken: T.Object({ suggestion: Name }), LobbyFull: None },
      timeoutMs: 5_000,
    }),
    join: unary({
      input: T.Object({ roomId: T.String() }),
      output: Taken,
      errors: { RoomFull: T.Object({ seats: T.Integer() }), NoSuchRoom: None },
      timeoutMs: 5_000,
    }),
    leave: unary({ timeoutMs: 5_000 }),
    ready: unary({
      input: T.Object({ ready: T.Boolean() }),
      errors: { NotSeated: None },
      timeoutMs: 5_000,
    }),
    /** A bot comes over TCP and takes a seat beside the caller. */
    invite: unary({
      errors: { RoomFull: T.Object({ seats: T.Integer() }), NotSeated: None },
      timeoutMs: 5_000,
    }),
    /** The caller's room: at once, and after every change; ends with the seat. */
    room: serverStream({ output: RoomState, errors: { NotSeated: None } }),
    chat: unary({
      input: T.Object({ text: T.String({ minLength: 1, maxLength: 200 }) }),
      errors: { NotSeated: None, TooFast: None },
      timeoutMs: 5_000,
    }),
    /** What was said lately in the caller's room, then what is being said. */
    messages: serverStream({ output: Message, errors: { NotSeated: None } }),
    /** Moves up, snapshots down: the newest, as fast as this client reads them. */
    play: bidi({ input: Move, output: Snapshot, errors: { NotSeated: None } }),
  },
  {
    client: {
      /** Something happened that is worth a line on the screen. */
      notice: event({ input: T.Object({ text: T.String() }) }),
      /** A question that the server waits for: another round? */
      confirm: unary({
        input: T.Object({ question: T.String(), yes: T.String(), no: T.String() }),
        output: T.Object({ yes: T.Boolean() }),
        timeoutMs: 8_000,
      }),
    },
  },
)

export type Me = T.Static<typeof Me>
export type RoomCard = T.Static<typeof RoomCard>
export type RoomList = T.Static<typeof RoomList>
export type RoomState = T.Static<typeof RoomState>
export type SeatState = T.Static<typeof SeatState>
export type Message = T.Static<typeof Message>
export type Move = T.Static<typeof Move>
export type Snapshot = T.Static<typeof Snapshot>
export type Phase = T.Static<typeof Phase>
