// What all connections of this process hold together, and who has to give way when it is too much.
//   in  -> every change of every ledger; the connections
//   out -> connections told to stop reading, or to end
// Over the limit reading stops on connections that are over their own budget, for a while; if that
// does not help, the one that has been stalled longest ends, or else the largest.

import type { Clock } from '../base/clock.ts'
import { Timer, type Timers } from '../base/timers.ts'

/** One connection, as the process sees it. */
export interface MemoryMember {
  /** Bytes that it holds. */
  readonly heldBytes: number
  /** Whether it holds more than a connection's own budget. */
  readonly overBudget: boolean
  /** Since when its peer has taken nothing of what waits for it; undefined if it takes. */
  readonly stalledSince: number | undefined
  /** Stops reading, and starts again. */
  pauseReading(): void
  resumeReading(): void
  /** Ends the connection for the sake of the others: `resource_exhausted`, reason `memory`. */
  sacrifice(): void
}

/** Clients and servers of one process share it, whatever their options. */
const processTotal = { bytes: 0 }

/** Longest that reading is stopped before somebody has to go, in milliseconds. */
const longestPauseMs = 10_000
/** How often it is looked at while over the limit, in milliseconds. */
const lookMs = 100
/** Above this share of the limit nobody waits. */
const emergency = 1.1

export class Memory {
  private readonly members = new Set<MemoryMember>()
  private readonly paused = new Set<MemoryMember>()
  private readonly total: { bytes: number }
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limit: number
  private overSince = -1
  private reserved = 0
  private readonly timer = new Timer(() => this.relieve())
  private urgent = false

  /** `limit` in bytes. `total`: a count of its own, for tests. */
  constructor(
    clock: Clock,
    timers: Timers,
    limit: number,
    total: { bytes: number } = processTotal,
  ) {
    this.clock = clock
    this.timers = timers
    this.limit = limit
    this.total = total
  }

  /** Bytes held by all connections of the process. */
  get bytes(): number {
    return this.total.bytes
  }

  join(member: MemoryMember): void {
    this.members.add(member)
  }

  leave(member: MemoryMember): void {
    this.members.delete(member)
    this.paused.delete(member)
  }

  add(bytes: number): void {
    this.total.bytes += bytes
    if (bytes <= 0 || this.total.bytes <= this.limit) return
    if (!this.timer.armed) this.timers.arm(this.timer, 0)
    // Hundreds of connections may come to speak before the next timer does.
    if (this.urgent || !this.farOver) return
    this.urgent = true
    this.clock.endOfTurn(this.onUrgent)
  }

  private get farOver(): boolean {
    return this.total.bytes > this.limit * emergency
  }

  private readonly onUrgent = (): void => {
    this.urgent = false
    this.sacrificeUntilBelow()
  }

  /** As many as it takes, in this turn. */
  private sacrificeUntilBelow(): void {
    for (let left = this.members.size; left > 0 && this.farOver; left -= 1)
      this.victim()?.sacrifice()
  }

  /** Credit beyond the initial windows comes out of this, too. False: there is none left. */
  reserve(bytes: number): boolean {
    if (this.reserved + bytes > this.limit) return false
    this.reserved += bytes
    return true
  }

  release(bytes: number): void {
    this.reserved -= bytes
  }

  /** Whether windows may grow. */
  get roomy(): boolean {
    return this.reserved * 2 <= this.limit && this.total.bytes * 2 <= this.limit
  }

  private relieve(): void {
    if (this.total.bytes <= this.limit) return this.endPressure()
    const now = this.clock.now()
    if (this.overSince < 0) this.overSince = now
    for (const member of this.members)
      if (member.overBudget && !this.paused.has(member)) {
        this.paused.add(member)
        member.pauseReading()
      }
    this.sacrificeUntilBelow()
    if (now - this.overSince >= longestPauseMs) {
      this.victim()?.sacrifice()
      this.overSince = now
      this.resumeAll()
    }
    this.timers.arm(this.timer, lookMs)
  }

  private endPressure(): void {
    this.overSince = -1
    this.resumeAll()
  }

  private resumeAll(): void {
    for (const member of this.paused) member.resumeReading()
    this.paused.clear()
  }

  private victim(): MemoryMember | undefined {
    let chosen: MemoryMember | undefined
    for (const member of this.members)
      if (chosen === undefined || givesWayBefore(member, chosen)) chosen = member
    return chosen
  }
}

/** The longest stalled first, then the largest. */
function givesWayBefore(member: MemoryMember, other: MemoryMember): boolean {
  const [since, otherSince] = [member.stalledSince ?? Infinity, other.stalledSince ?? Infinity]
  if (since !== otherSince) return since < otherSince
  return member.heldBytes > other.heldBytes
}
