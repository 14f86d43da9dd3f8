// The contract of the type tests: each kind, with and without each part.

import * as T from 'typebox'
import {
  bidi,
  Bytes,
  clientStream,
  contract,
  event,
  serverStream,
  Timestamp,
  unary,
} from './callbox.ts'

export const Room = T.Object({ id: T.String(), seats: T.Integer(), title: T.Optional(T.String()) })

export const lobby = contract(
  'lobby',
  {
    create: unary({
      input: T.Object({ name: T.String({ maxLength: 40 }) }),
      output: T.Object({ roomId: T.String() }),
      errors: { NameTaken: T.Object({ suggestion: T.String() }), Full: T.Object({}) },
      timeoutMs: 5_000,
    }),
    list: unary({ output: T.Array(Room), idempotent: true }),
    ping: unary({}),
    search: unary({
      input: T.Object({ page: T.Optional(T.Integer()), text: T.Optional(T.String()) }),
      output: T.Array(Room),
    }),
    nothing: unary({ input: T.Object({}), output: T.Null() }),
    rename: unary({ input: T.Object({ id: T.String(), name: T.String() }) }),
    watch: serverStream({
      output: T.Object({ seq: T.Integer(), text: T.String() }),
      resumable: T.Integer(),
    }),
    tail: serverStream({ input: T.Object({ id: T.String() }), output: T.String() }),
    importReplay: clientStream({
      params: T.Object({ game: T.String() }),
      input: Bytes(),
      output: T.Object({ bytes: T.Integer(), at: Timestamp() }),
      errors: { TooLong: T.Object({ limit: T.Integer() }) },
    }),
    count: clientStream({ input: T.String(), output: T.Integer() }),
    play: bidi({
      params: T.Object({ seat: T.String() }),
      input: T.Object({ dir: T.Union([T.Literal('left'), T.Literal('right')]) }),
      output: T.Object({ tick: T.Integer() }),
    }),
    echo: bidi({ input: T.String(), output: T.String() }),
    typing: event({ input: T.Object({ roomId: T.String() }) }),
    wake: event(),
    rooms: {
      '': serverStream({ output: Room }),
      'publish': unary({ input: Room, output: T.Integer() }),
      'admin': { kick: unary({ input: T.Object({ who: T.String() }) }) },
    },
  },
  {
    client: {
      confirm: unary({ input: T.Object({ question: T.String() }), output: T.Boolean() }),
      notice: event({ input: T.Object({ text: T.String() }) }),
    },
  },
)

export const chat = contract(
  'chat',
  { say: unary({ input: T.Object({ text: T.String() }) }) },
  { client: { said: event({ input: T.Object({ text: T.String() }) }) } },
)

export interface Api {
  lobby: typeof lobby
  chat: typeof chat
}
