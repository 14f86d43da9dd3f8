// Waits for a client that has been told to leave, once nothing runs here any more.
//   in  -> the calls of its connection, how long there is
//   out -> a promise that settles when the client has left, or when waiting is of no use
// GOAWAY, the last answers and the acknowledgment of a last request may be lost with the link: a client
// that has them leaves by itself; one that comes back without its session would not know what has run.

import type { Calls, Clock, Timers } from '@callbox/core/internal'
import { within } from './within.ts'

/** A client with a link leaves within a round trip; one that does not, never will. In milliseconds. */
const liveMs = 1_000
/** Between two looks at whether there is a link, in milliseconds. */
const lookMs = 100

export interface DepartureTerms {
  readonly clock: Clock
  readonly timers: Timers
  /** When all of it must be over, as the clock counts. */
  readonly endsAt: number
  /** Until when a client that has lost its link can come back. */
  readonly returnsUntil: number
}

/** Never rejects. */
export async function departed(calls: Calls, terms: DepartureTerms): Promise<void> {
  const { clock, timers, endsAt, returnsUntil } = terms
  const { session } = calls
  let forget: (() => void) | undefined
  const ended = new Promise<void>((resolve) => {
    forget = calls.whenEnded(resolve)
  })
  let liveSince = clock.now()
  while (session.state !== 'ended') {
    const now = clock.now()
    if (session.state === 'parked') liveSince = now
    const until = session.state === 'parked' ? returnsUntil : liveSince + liveMs
    const leftMs = Math.min(until, endsAt) - now
    if (leftMs <= 0) break
    await within(timers, Math.min(lookMs, leftMs), ended)
  }
  forget?.()
}
