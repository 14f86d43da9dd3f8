// Sessions without a link, of the whole process: what they may hold together.
//   in  -> sessions that lose their link, and find another; bytes that wait meanwhile
//   out -> sessions told to end
// Over the limit the largest goes first, of equals the oldest: otherwise one peer could evict all
// others by parking many.

/** One session that waits for a link. */
export interface ParkedMember {
  /** Sent and not acknowledged, and what waits to be sent, in bytes. */
  readonly parkedBytes: number
  /** Ends it: the peer that comes back is told so. */
  evict(): void
}

/** What the sessions of one process hold: clients and servers share it, whatever their options. */
export class ParkedTotal {
  /** Members in the order in which they came, with the bytes that count for each. */
  readonly members: Map<ParkedMember, number> = new Map<ParkedMember, number>()
  bytes = 0
}

const processTotal = new ParkedTotal()

export class Parked {
  private readonly limit: number
  private readonly total: ParkedTotal

  /** `limit` in bytes. `total`: one of its own, for tests. */
  constructor(limit: number, total: ParkedTotal = processTotal) {
    this.limit = limit
    this.total = total
  }

  /** Sessions parked in this process. */
  get length(): number {
    return this.total.members.size
  }

  /** Bytes that they hold. */
  get bytes(): number {
    return this.total.bytes
  }

  /** Adds a session, or counts one anew that holds more or less than before. */
  count(member: ParkedMember): void {
    const { members } = this.total
    const bytes = member.parkedBytes
    this.total.bytes += bytes - (members.get(member) ?? 0)
    members.set(member, bytes)
    while (this.total.bytes > this.limit) this.evictLargest()
  }

  remove(member: ParkedMember): void {
    this.total.bytes -= this.total.members.get(member) ?? 0
    this.total.members.delete(member)
  }

  private evictLargest(): void {
    let [largest, most]: [ParkedMember | undefined, number] = [undefined, -1]
    for (const [member, bytes] of this.total.members)
      if (bytes > most) [largest, most] = [member, bytes]
    if (largest === undefined) return
    this.remove(largest)
    largest.evict()
  }
}
