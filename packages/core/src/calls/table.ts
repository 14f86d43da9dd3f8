// Ids of calls: which are open, which may come next, and what may still come for those that are over.
//   in  -> calls of this side, ids of frames
//   out -> ids; the call of a frame, or that it is late; ConnectionError for an id that cannot be
// Pure. Ids rise in serial-number order (RFC 1982), the client's are odd, the server's even.

import { ConnectionError, protocolError } from '../base/errors.ts'
import { IdMap } from '../base/id-map.ts'

/** Ids stay below 2^30, where V8 keeps them as small integers. */
const idMask = 2 ** 30 - 1

/**
 * END, ERROR, CANCEL and CREDIT cost no credit: an honest peer that has used up its own may have so
 * many of them under way when a call ends.
 */
const controlsPerCall = 16

/** Serial-number order on 30 bits: whether `id` comes after `other`. */
export function isAhead(id: number, other: number): boolean {
  const distance = (id - other) & idMask
  return distance > 0 && distance < 2 ** 29
}

export class CallTable<C> {
  private readonly calls = new IdMap<C>()
  private readonly parity: 0 | 1
  private nextId: number
  private highestSent = 0
  private highestReceived = 0
  /** Bytes that may still come for calls that are over. */
  private late = 0
  /** Frames without cost that may still come for them. */
  private lateControls = 0

  constructor(role: 'client' | 'server') {
    this.parity = role === 'client' ? 1 : 0
    this.nextId = role === 'client' ? 1 : 2
  }

  get size(): number {
    return this.calls.size
  }

  values(): readonly C[] {
    return this.calls.values()
  }

  /** Gives a call of this side its id. Ids in use are skipped when they wrap. */
  register(call: C): number {
    let id = this.nextId
    while (this.calls.get(id) !== undefined) id = after(id)
    this.nextId = after(id)
    this.highestSent = id
    this.calls.add(id, call)
    return id
  }

  /** The id of a REQUEST. Throws `protocol` unless it is the peer's and ahead of all before it. */
  receive(id: number): void {
    if (id === 0 || id > idMask || (id & 1) === this.parity)
      throw protocolError('REQUEST with an id of the other side')
    if (!isAhead(id, this.highestReceived))
      throw protocolError('REQUEST with an id that is not ahead')
    this.highestReceived = id
  }

  /** A call of the peer has begun. */
  open(id: number, call: C): void {
    this.calls.add(id, call)
  }

  /**
   * The call of a frame; undefined if the frame is late, and then `cost` bytes are charged to what
   * may come late. Throws `protocol` for an id that was never opened, `flow_control` for too much.
   */
  find(id: number, cost: number): C | undefined {
    const call = this.calls.get(id)
    if (call !== undefined) return call
    const highest = (id & 1) === this.parity ? this.highestSent : this.highestReceived
    if (id === 0 || id > idMask || highest === 0 || isAhead(id, highest))
      throw protocolError('frame for a call that was never opened')
    this.chargeLate(cost)
    return undefined
  }

  /** `cost` in bytes; 0 for a frame that costs no credit. */
  chargeLate(cost: number): void {
    if (cost === 0) this.lateControls -= 1
    this.late -= cost
    if (this.late < 0 || this.lateControls < 0)
      throw new ConnectionError('flow_control', 'late frames beyond what was granted')
  }

  /** A receiving direction is over: so many bytes may still come. */
  allowLate(bytes: number): void {
    this.late += bytes
    this.lateControls += controlsPerCall
  }

  /** A call is over, and `unused` bytes may still come for it. False if it was over already. */
  close(id: number, unused: number): boolean {
    if (!this.calls.delete(id)) return false
    this.allowLate(unused)
    return true
  }

  clear(): void {
    this.calls.clear()
  }
}

function after(id: number): number {
  const next = (id + 2) & idMask
  return next === 0 ? 2 : next
}
