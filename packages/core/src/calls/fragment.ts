// A message that comes in fragments.
//   in  -> the total that the first fragment announces, then ranges of payload
//   out -> the whole payload
// Memory follows the bytes received, never the bytes announced. How messages are cut is in
// `writer.ts`, where credit and turns decide when.

import { protocolError } from '../base/errors.ts'
import type { MessageFields } from '../frames/fields.ts'
import { Flag } from '../frames/frame.ts'
import type { ReceiveWindow } from './credit.ts'

export class Assembly {
  /** What its fragments have cost of the window so far, in bytes. */
  cost = 0
  /** Of that: granted again on receipt. */
  advanced = 0
  private readonly total: number
  private buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  private length = 0

  /** `total` has been compared with `maxMessage`. */
  constructor(total: number) {
    this.total = total
  }

  /** Throws `protocol` when more comes than was announced. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start
    if (length > this.total) throw protocolError('message longer than its total')
    if (length > this.buffer.length) {
      const grown = new Uint8Array(Math.min(this.total, Math.max(length, 2 * this.buffer.length)))
      grown.set(this.buffer.subarray(0, this.length))
      this.buffer = grown
    }
    this.buffer.set(bytes.subarray(start, end), this.length)
    this.length = length
  }

  /** The payload, owned by the caller. Throws `protocol` when less came than was announced. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.length !== this.total) throw protocolError('message shorter than its total')
    return this.buffer
  }
}

/** What a frame of a message did. */
export type Step = 'more' | 'beyond credit' | 'over maxMessage' | Uint8Array<ArrayBuffer>

/** The one message of a direction that somebody waits for: a REQUEST, or an answer. */
export class WholeMessage {
  private readonly window: ReceiveWindow
  private readonly limits: { readonly maxMessage: number; readonly frameCost: number }
  private assembly: Assembly | undefined

  constructor(
    window: ReceiveWindow,
    limits: { readonly maxMessage: number; readonly frameCost: number },
  ) {
    this.window = window
    this.limits = limits
  }

  /** Whether it has begun and not ended: END may not come now. */
  get begun(): boolean {
    return this.assembly !== undefined
  }

  /** Takes the next fragment. Throws ConnectionError for fragments that contradict each other. */
  receive(buffer: Uint8Array, flags: number, fields: MessageFields, end: number): Step {
    const { window } = this
    const cost =
      end - fields.payloadStart + (fields.metaEnd - fields.metaStart) + this.limits.frameCost
    if (!window.receive(cost)) return 'beyond credit'
    if ((flags & Flag.Cont) === 0) {
      if (this.assembly !== undefined) throw protocolError('a message begins inside another')
      if (fields.total > this.limits.maxMessage) return 'over maxMessage'
      this.assembly = new Assembly(fields.total)
      window.beginMessage()
    }
    const { assembly } = this
    if (assembly === undefined) throw protocolError('fragment of no message')
    assembly.add(buffer, fields.payloadStart, end)
    assembly.cost += cost
    if ((flags & Flag.More) !== 0) {
      assembly.advanced += cost
      window.advance(cost)
      return 'more'
    }
    const whole = assembly.finish()
    this.assembly = undefined
    window.endMessage()
    window.take(assembly.cost, assembly.advanced)
    return whole
  }
}
