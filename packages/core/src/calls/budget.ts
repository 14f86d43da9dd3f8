// The receive budget of a connection: what may be granted beyond the initial windows.
//   in  -> windows that want to grant more
//   out -> whether they may; for those that wait, their turn
// Half-received messages must not block each other for ever: while the budget is used up, one of
// them goes on all the same, the oldest that somebody waits for. Pure.

import type { Memory } from '../session/memory.ts'

/** A window that wants to grant. */
export interface Claimant {
  /** Whether somebody waits for the message that is coming in there. */
  readonly waitedFor: boolean
  /** Order in which such messages began. */
  readonly messageOrder: number
  /** Tries again. `favored`: whatever the budget says. */
  offer(favored: boolean): void
}

export class ReceiveBudget {
  /** Bytes granted beyond initial windows. */
  reserved = 0
  private readonly limit: number
  private readonly memory: Memory
  private readonly waiting = new Set<Claimant>()
  private favored: Claimant | undefined
  private order = 0
  private serving = false

  /** `limit` in bytes. */
  constructor(limit: number, memory: Memory) {
    this.limit = limit
    this.memory = memory
  }

  /** Windows that wait for their grants. */
  get length(): number {
    return this.waiting.size
  }

  /** Whether windows may grow. */
  get roomy(): boolean {
    return this.reserved * 2 <= this.limit && this.memory.roomy
  }

  nextOrder(): number {
    return (this.order += 1)
  }

  /** False: it is used up here, or in the whole process. */
  reserve(bytes: number): boolean {
    if (this.reserved + bytes > this.limit || !this.memory.reserve(bytes)) return false
    this.reserved += bytes
    return true
  }

  release(bytes: number): void {
    this.reserved -= bytes
    this.memory.release(bytes)
    this.serve()
  }

  /** A window that could not grant stands here until it can. */
  wait(window: Claimant): void {
    this.waiting.add(window)
    this.favorOldest()
  }

  leave(window: Claimant): void {
    this.waiting.delete(window)
    if (this.favored !== window) return
    this.favored = undefined
    this.favorOldest()
  }

  /** Somebody waits now who did not before. */
  favorOldest(): void {
    if (this.serving || this.waiting.size === 0) return
    if (this.favored?.waitedFor !== true) this.favored = this.oldest()
    this.favored?.offer(true)
  }

  private serve(): void {
    if (this.serving || this.waiting.size === 0) return
    this.serving = true
    // One that still cannot stands here again, behind the others.
    const windows = [...this.waiting]
    this.waiting.clear()
    for (const window of windows) window.offer(false)
    this.serving = false
    this.favorOldest()
  }

  private oldest(): Claimant | undefined {
    let found: Claimant | undefined
    for (const window of this.waiting)
      if (window.waitedFor && (found === undefined || window.messageOrder < found.messageOrder))
        found = window
    return found
  }
}
