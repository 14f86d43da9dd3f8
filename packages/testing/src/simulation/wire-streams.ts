// What must hold for the streams of one session: credit, order of frames, ends.
//   in  -> stream frames sent for the first time, stream frames delivered
//   out -> reports of what must not be

import type { Way } from './line.ts'
import { Flags, Frames, type WireFrame } from './wire-frame.ts'

/** By the protocol: the window of all events of one direction. */
const eventWindow = 256 * 1024
/** Most that may be granted beyond what was received: the largest window and the budget. */
const mostOutstanding = 16 * 1024 * 1024
/** A grant is a quarter of a window, and the least window has 128 KiB. */
const leastGrant = 32 * 1024

interface Stream {
  /** Bytes that the sender may still send. */
  credit: number
  /** Bytes granted and not received. */
  outstanding: number
  received: number
  credits: number
  /** The sender has said END or ERROR. */
  ended: boolean
  midMessage: boolean
}

export class WireStreams {
  /** Bytes of stream frames delivered, both ways. */
  deliveredBytes = 0
  private readonly streams = { up: new Map<number, Stream>(), down: new Map<number, Stream>() }
  private readonly highest = { up: 0, down: 0 }
  private readonly windows: { readonly up: number; readonly down: number }
  private readonly report: (text: string) => void

  constructor(
    windows: { readonly up: number; readonly down: number },
    report: (text: string) => void,
  ) {
    this.windows = windows
    this.report = report
  }

  private streamOf(way: Way, id: number): Stream {
    const streams = this.streams[way]
    let stream = streams.get(id)
    if (stream === undefined) {
      const credit = id === 0 ? eventWindow : this.windows[way]
      stream = {
        credit,
        outstanding: credit,
        received: 0,
        credits: 0,
        ended: false,
        midMessage: false,
      }
      streams.set(id, stream)
    }
    return stream
  }

  onSent(way: Way, frame: WireFrame): void {
    const { type, flags, id } = frame
    if (type === Frames.Credit) return this.onGrant(way, frame)
    if (type === Frames.Request) this.onRequest(way, id)
    const stream = this.streamOf(way, id)
    if (type === Frames.Cancel) return
    if (stream.ended) this.report(`stream ${id} ${way}: type ${type} after its end`)
    const cont = (flags & Flags.Cont) !== 0
    if (type === Frames.Data && cont !== stream.midMessage && (cont || type === Frames.Data))
      this.report(`stream ${id} ${way}: fragments of two messages are mixed`)
    if (type === Frames.Request || type === Frames.Data)
      stream.midMessage = (flags & Flags.More) !== 0
    if (type === Frames.End || type === Frames.Error || (flags & Flags.End) !== 0)
      stream.ended = type !== Frames.Notify
    stream.credit -= frame.cost
    if (stream.credit < 0) this.report(`stream ${id} ${way}: ${-stream.credit} bytes beyond credit`)
  }

  private onRequest(way: Way, id: number): void {
    if ((id & 1) !== (way === 'up' ? 1 : 0)) this.report(`stream ${id} ${way}: an id of the other`)
    const before = this.highest[way]
    const ahead = (id - before) & (2 ** 30 - 1)
    if (before !== 0 && (ahead === 0 || ahead >= 2 ** 29))
      this.report(`stream ${id} ${way}: opened behind ${before}`)
    this.highest[way] = id
    // The id comes again after the wrap.
    this.streams.up.delete(id)
    this.streams.down.delete(id)
  }

  /** CREDIT that goes `way` is for the frames of the other direction. */
  private onGrant(way: Way, { id, credit }: WireFrame): void {
    const stream = this.streamOf(way === 'up' ? 'down' : 'up', id)
    stream.outstanding += credit
    stream.credits += 1
    if (credit === 0) this.report(`stream ${id}: a CREDIT of nothing`)
    if (stream.outstanding > mostOutstanding)
      this.report(`stream ${id}: ${stream.outstanding} bytes granted and not used`)
    if (stream.credits > stream.received / leastGrant + 4)
      this.report(`stream ${id}: ${stream.credits} CREDITs for ${stream.received} bytes`)
  }

  onDelivered(way: Way, frame: WireFrame): void {
    this.deliveredBytes += frame.bytes.length
    const { id, cost } = frame
    if (frame.type === Frames.Credit) {
      this.streamOf(way === 'up' ? 'down' : 'up', id).credit += frame.credit
      return
    }
    const stream = this.streamOf(way, id)
    stream.outstanding -= cost
    stream.received += cost
  }
}
