// What happens next, in virtual time: events in the order of (time, sequence), one at a time.
//   in  -> events of hosts; how far to go
//   out -> their callbacks; a hash of everything that has happened
// Time is an integer of microseconds. After an event that ran code of a host the promises are given
// time to settle, so that no order depends on how long a chain of them is. A run takes turns with
// whatever else the process does: between its slices, never in the middle of an event.

import { hashText } from './random.ts'

/** Who an event belongs to: while it is frozen, nothing happens to it. */
export interface Owner {
  readonly ordinal: number
  readonly frozenUntilUs: number
}

/** One event that is to come. */
export interface SimulatedEvent {
  atUs: number
  readonly sequence: number
  readonly owner: Owner | undefined
  /** What it is, as a small number, for the hash. */
  readonly kind: number
  cancelled: boolean
  readonly run: () => void
}

/** What an event can be; the hash and charts tell them apart. */
export const EventKind = {
  Timer: 1,
  Bytes: 2,
  End: 3,
  Reset: 4,
  Closed: 5,
  Drain: 6,
  Dial: 7,
  Accept: 8,
  Fault: 9,
  Work: 10,
  Look: 11,
} as const

export class Scheduler {
  nowUs = 0
  /** Events that have happened. */
  count = 0
  private hash = 0x811c9dc5
  private sequence = 0
  private readonly heap: SimulatedEvent[] = []
  private turnOver: (() => void)[] = []
  /** Code of a host has run: promises may be waiting. */
  private entered = false

  /** Milliseconds since the start. */
  get nowMs(): number {
    return this.nowUs / 1_000
  }

  /** Schedules an event, never before now. */
  at(atUs: number, kind: number, run: () => void, owner?: Owner): SimulatedEvent {
    this.sequence += 1
    const event: SimulatedEvent = {
      atUs: Math.max(this.nowUs, Math.round(atUs)),
      sequence: this.sequence,
      owner,
      kind,
      cancelled: false,
      run,
    }
    this.push(event)
    return event
  }

  /** Runs `callback` once the running event is over, promises included. */
  endOfTurn(callback: () => void): void {
    this.turnOver.push(callback)
  }

  /** Says that code was run that may have settled promises. */
  enter(): void {
    this.entered = true
  }

  /** Folds something into the hash: what is not the same in another run of the seed shows there. */
  fold(value: number): void {
    this.hash = Math.imul(this.hash ^ (value >>> 0), 0x01000193)
    this.hash = (this.hash ^ (this.hash >>> 15)) >>> 0
  }

  foldText(text: string): void {
    this.fold(hashText(text))
  }

  /** The hash of all events so far, as eight hex digits. */
  get eventHash(): string {
    return this.hash.toString(16).padStart(8, '0')
  }

  /** Goes on until the clock says `untilMs`, or `stop` does, asked after each event. */
  async run(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    const untilUs = untilMs * 1_000
    while (!(await this.slice(untilUs, stop)));
    if (!stop()) this.nowUs = untilUs
  }

  /** The same for code that uses no promises, or does not wait for any. */
  runSync(untilMs: number): void {
    const untilUs = untilMs * 1_000
    this.endTurns()
    while (this.step(untilUs)) if (this.turnOver.length > 0) this.endTurns()
    this.nowUs = untilUs
  }

  /** Lets every promise settle, and what was waiting for the end of the turn. */
  async quiesce(): Promise<void> {
    this.entered = true
    await this.slice(-1, () => false)
  }

  /** So many events that others of this process still have their turn. True: there are no more. */
  private async slice(untilUs: number, stop: () => boolean): Promise<boolean> {
    this.entered = true
    if (settleNow === undefined) return this.slowSlice(untilUs, stop)
    return new Promise((resolve, reject) => {
      // In a turn of its own: promises do not settle in the middle of a promise's reaction.
      setImmediate(() => {
        try {
          resolve(this.fastSlice(untilUs, stop, settleNow))
        } catch (error) {
          reject(error instanceof Error ? error : new Error('an event threw', { cause: error }))
        }
      })
    })
  }

  private fastSlice(untilUs: number, stop: () => boolean, settle: () => void): boolean {
    for (let count = 0; count < sliceEvents; count += 1) {
      while (this.entered || this.turnOver.length > 0) {
        this.entered = false
        settle()
        this.runTurnOver()
      }
      if (stop() || !this.step(untilUs)) return true
    }
    return false
  }

  private async slowSlice(untilUs: number, stop: () => boolean): Promise<boolean> {
    for (let count = 0; count < sliceEvents; count += 1) {
      while (this.entered || this.turnOver.length > 0) {
        this.entered = false
        // A turn of the event loop empties the queue of microtasks, however long it grows.
        await new Promise<void>((resolve) => void setTimeout(resolve, 0))
        this.runTurnOver()
      }
      if (stop() || !this.step(untilUs)) return true
    }
    return false
  }

  private endTurns(): void {
    this.entered = false
    while (this.turnOver.length > 0) this.runTurnOver()
  }

  private runTurnOver(): void {
    if (this.turnOver.length === 0) return
    const callbacks = this.turnOver
    this.turnOver = []
    this.entered = true
    for (const callback of callbacks) callback()
  }

  /** Runs the next event that is due by then; false if there is none. */
  private step(untilUs: number): boolean {
    for (let event = this.heap[0]; event !== undefined; event = this.heap[0]) {
      if (event.atUs > untilUs) return false
      this.pop()
      if (event.cancelled) continue
      const { owner } = event
      if (owner !== undefined && owner.frozenUntilUs > event.atUs) {
        // It keeps its place among the others that are late.
        event.atUs = owner.frozenUntilUs
        this.push(event)
        continue
      }
      this.nowUs = event.atUs
      this.count += 1
      this.fold(event.atUs)
      this.fold(event.kind * 256 + (owner?.ordinal ?? 255))
      event.run()
      return true
    }
    return false
  }

  private push(event: SimulatedEvent): void {
    const { heap } = this
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence)
}

/** Events in one turn of the process's own event loop. */
const sliceEvents = 2_000

/**
 * Runs every promise reaction now, where the runtime lets it be done from outside of one: Node has
 * done so for as long as it had ticks. A turn of the event loop instead costs as much as an event.
 */
const settleNow: (() => void) | undefined = (() => {
  const host = globalThis as { readonly process?: { readonly _tickCallback?: unknown } }
  const settle = host.process?._tickCallback
  return typeof settle === 'function' && typeof setImmediate === 'function'
    ? () => void Reflect.apply(settle, host.process, [])
    : undefined
})()
