// A peer that sends any bytes, over a link in memory: for what a hostile client does on the virtual clock.
//   in  -> frames that the raw kit has built; a transport to dial
//   out -> the frames that came back, and whether the link is gone
// Follows no rule by itself: it acknowledges nothing and answers no PING.

import type { Link, Transport } from '@callbox/core/internal'
import { fromMsgpack, goAwayOf, partsOf, rawHello, type RawFrame } from '@callbox/testing/node'

export const types = {
  welcome: 0x02,
  ping: 0x03,
  pong: 0x04,
  ack: 0x05,
  goAway: 0x06,
  auth: 0x08,
  request: 0x10,
  data: 0x11,
  error: 0x13,
  cancel: 0x14,
  credit: 0x15,
} as const

export const codes = {
  resourceExhausted: 8,
  aborted: 10,
  unavailable: 14,
  unauthenticated: 16,
  protocol: 35,
}

/** The map of a WELCOME, as far as tests look at it. */
export interface RawWelcomeMap {
  readonly resumed: boolean
  readonly received: number
  readonly session?: {
    readonly id: Uint8Array
    readonly token: Uint8Array
    readonly graceMs: number
  }
  readonly expiresInMs?: number
}

export class RawLink {
  readonly frames: RawFrame[] = []
  closed = false
  private readonly link: Link

  private constructor(link: Link) {
    this.link = link
    link.open({
      onFrame: (buffer, start, end) => void this.frames.push(partsOf(buffer.slice(start, end))),
      onDrain: () => undefined,
      onClose: () => {
        this.closed = true
      },
    })
  }

  static async connect(transport: Required<Pick<Transport, 'dial'>>): Promise<RawLink> {
    const { signal } = new AbortController()
    return new RawLink(await transport.dial({ signal, maxFrame: 66_560 }))
  }

  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.link.write(frame, 0, frame.length)
    this.link.flush()
  }

  hello(map: Readonly<Record<string, unknown>> = {}): void {
    this.send(rawHello(map))
  }

  of(type: number): RawFrame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  get welcome(): RawWelcomeMap | undefined {
    const frame = this.of(types.welcome)[0]
    return frame === undefined ? undefined : (fromMsgpack(frame.body.subarray(4)) as RawWelcomeMap)
  }

  /** Code and reason of the GOAWAY that came, if one did. */
  get goAway(): { readonly code: number; readonly reason: string | undefined } | undefined {
    const frame = this.of(types.goAway)[0]
    if (frame === undefined) return undefined
    const { code, map } = goAwayOf(frame)
    return { code, reason: (map as { reason?: string }).reason }
  }

  /** Stream frames that have come: the position that this side would tell. */
  get received(): number {
    return this.frames.filter(({ type }) => type >= 0x10).length
  }

  pause(): void {
    this.link.pause()
  }

  resume(): void {
    this.link.resume()
  }

  abort(): void {
    this.link.abort('raw')
  }
}
