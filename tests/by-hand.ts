// A server whose links the test makes itself: no socket, the virtual clock, any bytes.
//   in  -> options of the server
//   out -> strangers that send frames, and what they were told

import type { Link, ListenOptions, Transport } from '@callbox/core/internal'
import { createServer, MetricsRegistry, silent, type Server } from '@callbox/server'
import { createPair, VirtualClock } from '@callbox/testing'
import { partsOf, rawHello, type RawFrame } from '@callbox/testing/node'

type Options = Pick<Parameters<typeof createServer>[0], 'services' | 'limits' | 'logger'>

/** The other end of one link. */
export interface Stranger {
  readonly link: Link
  /** The end that the server has. */
  readonly far: Link
  readonly frames: RawFrame[]
  /** Why the link is gone; undefined while it is there. */
  closed: string | undefined
  send(...frames: readonly Uint8Array[]): void
  /** Frames of one type so far. */
  of(type: number): readonly RawFrame[]
}

export interface ByHand {
  readonly clock: VirtualClock
  readonly metrics: MetricsRegistry
  readonly server: Server
  /** What the server told the transport. */
  readonly terms: ListenOptions
  /** A new link, `elapsedMs` after its accept. */
  stranger(elapsedMs?: number): Stranger
  /** A new link whose HELLO was welcomed. */
  peer(hello?: Readonly<Record<string, unknown>>): Promise<Stranger>
}

export async function byHand(options: Options): Promise<ByHand> {
  const clock = new VirtualClock()
  const metrics = new MetricsRegistry()
  const server = createServer({
    logger: silent,
    ...options,
    authenticate: () => undefined as never,
    clock,
    metrics,
  })
  let terms: ListenOptions | undefined
  const hand: Transport = {
    name: 'hand',
    target: 'hand',
    listen: (given) => {
      terms = given
      return Promise.resolve({ address: '', port: 0, close: () => Promise.resolve() })
    },
  }
  await server.listen(hand)
  const stranger = (elapsedMs?: number): Stranger => {
    // Larger than any limit: that of the session itself is to show.
    const [near, far] = createPair({ maxFrame: 2 ** 24 })
    const frames: RawFrame[] = []
    const self: Stranger = {
      link: near,
      far,
      frames,
      closed: undefined,
      of: (type) => frames.filter((frame) => frame.type === type),
      send: (...all) => {
        for (const frame of all) {
          const room = new Uint8Array(frame.length + 4)
          room.set(frame, 4)
          near.write(room, 4, room.length)
        }
        near.flush()
      },
    }
    near.open({
      onFrame: (buffer, start, end) => void frames.push(partsOf(buffer.slice(start, end))),
      onDrain: () => undefined,
      onClose: (close) => (self.closed = close.reason),
    })
    terms!.onLink(far, elapsedMs)
    return self
  }
  const peer = async (hello: Readonly<Record<string, unknown>> = {}): Promise<Stranger> => {
    const self = stranger()
    self.send(rawHello(hello))
    await clock.settle()
    if (self.frames[0]?.type !== 0x02) throw new Error('no WELCOME')
    return self
  }
  return { clock, metrics, server, terms: terms!, stranger, peer }
}
