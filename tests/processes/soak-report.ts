// What the soak calls, and what it says at the end.

import { Bytes, clientStream, contract, event, serverStream, unary } from '@callbox/core'
import * as T from 'typebox'

const Count = T.Integer()

export const soak = contract('soak', {
  double: unary({ input: Count, output: Count }),
  bytes: unary({ input: Count, output: Bytes() }),
  count: serverStream({ input: Count, output: Count }),
  sum: clientStream({ input: Count, output: Count }),
  note: event({ input: Count }),
})

/** What a process holds while nothing runs in it. */
export interface Footprint {
  /** After a forced collection, in bytes. */
  readonly heapUsed: number
  readonly sockets: number
  readonly servers: number
  /** Of the process's own events. */
  readonly listeners: number
  readonly sessions: number
  /** Of clients and servers. */
  readonly timers: number
}

export interface SoakReport {
  readonly calls: number
  readonly items: number
  readonly faults: number
  readonly wrong: number
  readonly resumed: number
  readonly lost: number
  readonly quarter: Footprint
  readonly end: Footprint
}
