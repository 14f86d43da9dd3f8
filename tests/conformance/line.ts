// A line of some length and breadth between two links in memory, on the virtual clock.
//   in  -> a transport in memory; delay and bits a second, each way
//   out -> a transport whose links take that long
// Like a socket, a link takes everything at once and says what has not left yet.

import type { Link, LinkHandler, Transport } from '@callbox/core/internal'
import { memory, type VirtualClock } from '@callbox/testing'

export interface Line {
  /** One way, in milliseconds. */
  readonly delayMs: number
  readonly bitsPerSecond: number
}

/** What the system takes before a socket says that something is unsent, in bytes. */
const systemBuffer = 128 * 1024
/** Arrivals are gathered to steps of so many milliseconds: the clock then has less to do. */
const stepMs = 4

export function lineTransport(clock: VirtualClock, line: Line): Required<Transport> {
  const inner = memory()
  return {
    ...inner,
    dial: async (options) => delayed(clock, line, await inner.dial(options)),
    listen: (options) =>
      inner.listen({ ...options, onLink: (link) => options.onLink(delayed(clock, line, link)) }),
  }
}

/** What is written leaves one frame after the other, and arrives `delayMs` later. */
function delayed(clock: VirtualClock, { delayMs, bitsPerSecond }: Line, inner: Link): Link {
  let handler: LinkHandler | undefined
  let unsent = 0
  let freeAt = 0
  let written: Uint8Array[] = []
  const gathered = new Map<number, (() => void)[]>()
  const at = (when: number, work: () => void): void => {
    const step = Math.ceil(when / stepMs) * stepMs
    const works = gathered.get(step)
    if (works !== undefined) return void works.push(work)
    gathered.set(step, [work])
    clock.setTimer(() => {
      const all = gathered.get(step)!
      gathered.delete(step)
      for (const one of all) one()
      inner.flush()
      if (unsent <= systemBuffer) handler?.onDrain()
    }, step - clock.now())
  }
  const leave = (frame: Uint8Array): void => {
    freeAt = Math.max(freeAt, clock.now()) + (frame.length * 8_000) / bitsPerSecond
    at(freeAt, () => (unsent -= frame.length))
    at(freeAt + delayMs, () => inner.write(frame, 0, frame.length))
  }
  return {
    peer: inner.peer,
    open(next) {
      handler = next
      // The pair in memory is empty again at once: only this line says when it has drained.
      inner.open({ ...wrap(next), onDrain: () => undefined })
    },
    write(buffer, start, end) {
      written.push(buffer.slice(start, end))
      unsent += end - start
    },
    flush() {
      for (const frame of written) leave(frame)
      written = []
    },
    get unsentBytes() {
      return Math.max(0, unsent - systemBuffer)
    },
    pause: () => inner.pause(),
    resume: () => inner.resume(),
    close: () => inner.close(),
    abort: (reason) => inner.abort(reason),
  }
}

function wrap(handler: LinkHandler): LinkHandler {
  return {
    onFrame: (buffer, start, end) => handler.onFrame(buffer, start, end),
    onDrain: () => handler.onDrain(),
    onClose: (close) => handler.onClose(close),
  }
}
