// What the browser tests call, and what the server calls back.

import {
  bidi,
  Bytes,
  clientStream,
  contract,
  event,
  serverStream,
  Timestamp,
  unary,
} from '@callbox/core'
import * as T from 'typebox'

export const probe = contract(
  'probe',
  {
    echo: unary({
      input: T.Object({ text: T.String(), bytes: Bytes(), at: Timestamp() }),
      output: T.Object({ text: T.String(), bytes: Bytes(), at: Timestamp() }),
    }),
    large: unary({ input: Bytes(), output: Bytes() }),
    count: serverStream({ input: T.Object({ to: T.Integer() }), output: T.Integer() }),
    sum: clientStream({ input: T.Integer(), output: T.Integer() }),
    shout: bidi({ input: T.String(), output: T.String() }),
    note: event({ input: T.String() }),
    notes: unary({ output: T.Array(T.String()) }),
    fail: unary({ input: T.String(), errors: { Busy: T.Object({ seats: T.Integer() }) } }),
    sleep: unary({ input: T.Object({ id: T.String() }) }),
    /** Whether the handler of `sleep` with this id has been cancelled. */
    cancelled: unary({ input: T.Object({ id: T.String() }), output: T.Boolean() }),
    /** 100 bytes an item, 300,000 of them. */
    flood: serverStream({ input: T.Object({ id: T.String() }), output: Bytes() }),
    /** How many items `flood` has given so far. */
    given: unary({ input: T.Object({ id: T.String() }), output: T.Integer() }),
    /** Plays a conformance case whose caller is the server, on this connection. */
    play: unary({ input: T.String(), timeoutMs: 60_000 }),
    /** Calls `ask` and `tell` on this client. */
    callBack: unary({ output: T.String() }),
  },
  {
    client: {
      ask: unary({ input: T.String(), output: T.String() }),
      tell: event({ input: T.String() }),
      pieces: serverStream({ input: T.Integer(), output: T.String() }),
    },
  },
)
