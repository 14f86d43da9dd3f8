// What happened to every operation of a run, in order: what the oracle judges, and charts show.
//   in  -> who did what, when
//   out -> entries; each is folded into the hash of the run

import type { Scheduler } from '@callbox/testing/simulation'

export type What =
  /** A caller: the operation was made, gave an item, is over. */
  | 'issue'
  | 'item'
  | 'ok'
  | 'error'
  | 'cancel'
  /** A callee: its handler began, took an item, gave one, is over. */
  | 'start'
  | 'took'
  | 'gave'
  | 'finish'
  /** Anything else: faults, states of clients. */
  | 'note'

export interface Entry {
  readonly atMs: number
  /** `c0` or `s0.1`: the second server in the place of the first. */
  readonly who: string
  readonly what: What
  /** Number of the operation; -1 without. */
  readonly op: number
  /** A value that can be compared. */
  readonly value: string
  /** Of a callee: which connection, as a number. */
  readonly connection: number
  /** Milliseconds for which the host had been frozen so far. */
  readonly frozenMs: number
}

export interface Speaker {
  readonly who: string
  readonly host: { readonly frozenMs: number }
}

export class Trace {
  readonly entries: Entry[] = []
  private readonly scheduler: Pick<Scheduler, 'nowMs' | 'foldText'>

  constructor(scheduler: Pick<Scheduler, 'nowMs' | 'foldText'>) {
    this.scheduler = scheduler
  }

  add(speaker: Speaker, what: What, op: number, value = '', connection = -1): void {
    const { scheduler } = this
    scheduler.foldText(`${speaker.who} ${what} ${op} ${value}`)
    this.entries.push({
      atMs: scheduler.nowMs,
      who: speaker.who,
      what,
      op,
      value,
      connection,
      frozenMs: speaker.host.frozenMs,
    })
  }
}
