// Who comes in at a listener: how many at once, and how long the transport's own handshake may take.
//   in  -> connections as they are accepted, passed on, gone
//   out -> entrance or refusal; how long a link has been on its way; the order to drop one
// A refusal costs nothing: it is decided before a byte of the peer is read.

import type { Clock } from '../base/clock.ts'
import type { ListenOptions } from './link.ts'

/** Connections of all listeners of this process: each takes a descriptor. */
const processTotal = { open: 0 }

/** Connections that this process has accepted and that are still open. */
export function processConnections(): number {
  return processTotal.open
}

type GateOptions = Pick<
  ListenOptions,
  'maxConnections' | 'handshakeMs' | 'full' | 'onRefused' | 'onError'
>

/** One connection that was let in. */
export interface Entrance {
  /** The transport's handshake is through. Answers the milliseconds since accept. */
  readonly pass: () => number
  /** The connection is gone. Idempotent. */
  readonly leave: () => void
}

export class Gate {
  /** Connections that are open. */
  open = 0
  /** Those among them whose handshake is not through. */
  arriving = 0
  private readonly options: GateOptions
  private readonly clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>

  constructor(options: GateOptions, clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>) {
    this.options = options
    this.clock = clock
  }

  /**
   * Lets a connection in, or answers undefined: it is to be refused, and that has been told already.
   * `onLate` drops a connection that has not passed within `handshakeMs` of its accept.
   */
  enter(onLate: () => void): Entrance | undefined {
    const { maxConnections, handshakeMs } = this.options
    const limit = this.open >= maxConnections ? 'maxConnections' : this.options.full?.()
    if (limit !== undefined) {
      this.refused(limit, 'at its limit')
      return undefined
    }
    const at = this.clock.now()
    let state: 'arriving' | 'passed' | 'gone' = 'arriving'
    this.count(1, 1)
    const timer = this.clock.setTimer(() => {
      this.refused('handshakeMs', 'the handshake took too long')
      onLate()
    }, handshakeMs)
    const arrived = (next: 'passed' | 'gone'): void => {
      if (state === 'arriving') {
        this.clock.clearTimer(timer)
        this.count(0, -1)
      }
      state = next
    }
    return {
      pass: () => {
        if (state === 'arriving') arrived('passed')
        return this.clock.now() - at
      },
      leave: () => {
        if (state === 'gone') return
        arrived('gone')
        this.count(-1, 0)
      },
    }
  }

  private refused(limit: 'maxConnections' | 'maxPreAuth' | 'handshakeMs', text: string): void {
    const { onRefused, onError } = this.options
    if (onRefused === undefined) onError(new Error(`over limits.${limit}: ${text}`))
    else onRefused(limit)
  }

  private count(open: number, arriving: number): void {
    this.open += open
    this.arriving += arriving
    processTotal.open += open
  }
}
