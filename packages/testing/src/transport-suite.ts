// What every transport must show, as data: title and function, for any test runner.
//   in  -> a `TransportKit`
//   out -> cases; each opens its own listener, throws an Error where the contract is broken
// The contract is that of `Link`, `Listener` and `Transport` in `@callbox/core`.
//
//   for (const { title, run } of transportSuite(kit)) test(title, run)

import type { DialOptions } from '@callbox/core/internal'
import { closingCases } from './transport-closing.ts'
import {
  check,
  isFrame,
  same,
  Stage,
  turns,
  type SuiteCase,
  type TransportKit,
} from './transport-kit.ts'

/** One case, bound to a transport. */
export interface TransportCase {
  readonly title: string
  /** Rejects if the transport does not keep its contract. */
  readonly run: () => Promise<void>
}

/** The cases that hold for this transport. The longest takes the transport's own close timeout. */
export function transportSuite(kit: TransportKit): readonly TransportCase[] {
  return [...framesCases, ...pressureCases, ...closingCases, ...addressCases]
    .filter(({ needs }) => needs === undefined || kit.capabilities[needs])
    .map((entry) => ({ title: entry.title, run: () => play(kit, entry) }))
}

async function play(kit: TransportKit, entry: SuiteCase): Promise<void> {
  const { maxFrame, maxConnections } = entry
  const stage = await Stage.open(kit, {
    ...(maxFrame === undefined ? {} : { maxFrame }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
  })
  try {
    await entry.run(stage)
  } finally {
    await stage.strike()
  }
}

const framesCases: readonly SuiteCase[] = [
  {
    title: 'frames arrive whole, unchanged and in order, both ways',
    async run(stage) {
      const [near, far] = await stage.pair()
      for (let at = 0; at < 20; at += 1) {
        near.send(6 + at * 100, at)
        far.send(7 + at * 10, at + 1)
      }
      await Promise.all([near.received(20), far.received(20)])
      for (let at = 0; at < 20; at += 1) {
        same(far.frames[at]!.length, 6 + at * 100, 'length')
        check(isFrame(far.frames[at]!, at), `frame ${at} has changed on its way to the listener`)
        same(near.frames[at]!.length, 7 + at * 10, 'length')
        check(
          isFrame(near.frames[at]!, at + 1),
          `frame ${at} has changed on its way from the listener`,
        )
      }
    },
  },
  {
    title: 'frames of every length class arrive, from 6 bytes to maxFrame',
    async run(stage) {
      const [near, far] = await stage.pair()
      const sizes = [6, 7, 121, 122, 125, 126, 127, 128, 4_095, 4_096, 65_535, 65_536, 66_560]
      for (const size of sizes) near.write(size, size)
      for (const size of sizes) far.write(size, size)
      near.link.flush()
      far.link.flush()
      await Promise.all([near.received(sizes.length), far.received(sizes.length)])
      for (const end of [near, far]) {
        same(end.frames.map(({ length }) => length).join(), sizes.join(), 'lengths')
        check(
          end.frames.every((frame) => isFrame(frame, frame.length)),
          'a frame has changed',
        )
      }
    },
  },
  {
    title: '1,000 frames of one flush, lying behind each other, arrive in order',
    async run(stage) {
      const [near, far] = await stage.pair()
      const slab = new Uint8Array(1_000 * 16)
      for (let at = 0; at < 1_000; at += 1) {
        const start = at * 16 + 4
        new DataView(slab.buffer).setUint32(start, at)
        near.link.write(slab, start, start + 12)
      }
      near.link.flush()
      await far.received(1_000)
      far.frames.forEach((frame, at) => {
        same(frame.length, 12, 'length')
        same(new DataView(frame.buffer).getUint32(0), at, 'order')
      })
    },
  },
  {
    title: 'nothing leaves before flush',
    async run(stage) {
      const [near, far] = await stage.pair()
      near.write(10)
      far.send(10)
      await near.received(1)
      await turns()
      same(far.frames.length, 0, 'frames before flush')
      near.link.flush()
      await far.received(1)
    },
  },
  {
    title: 'the bytes of a frame are unchanged once it has left',
    async run(stage) {
      const [near, far] = await stage.pair()
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        const buffers = [from.write(50, 1), from.write(5_000, 2), from.write(66_000, 3)]
        from.link.flush()
        await Promise.all([from.drained(), to.received(3)])
        buffers.forEach((buffer, at) =>
          check(isFrame(buffer.subarray(4), at + 1), `frame ${at} was changed`),
        )
      }
    },
  },
  {
    title: 'what comes before open waits for it',
    async run(stage) {
      const [near, far] = await stage.connect()
      near.open()
      near.send(100, 1)
      near.send(66_560, 2)
      await turns()
      same(far.frames.length, 0, 'frames before open')
      far.open()
      await far.received(2)
      check(isFrame(far.frames[0]!, 1) && isFrame(far.frames[1]!, 2), 'a frame has changed')
    },
  },
]

const pressureCases: readonly SuiteCase[] = [
  {
    title: 'a reader that pauses makes unsent bytes grow at the sender; resume loses nothing',
    needs: 'holdsBack',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.link.pause()
      let sent = 0
      // The system may take some megabytes; a link that takes 64 does not push back at all.
      for (; sent < 1_024 && near.link.unsentBytes < 512 * 1024; sent += 1) {
        near.send(65_536, sent)
        if (sent % 8 === 7) await turns(1)
      }
      check(near.link.unsentBytes >= 512 * 1024, 'no backpressure')
      same(far.frames.length, 0, 'frames while paused')
      far.link.resume()
      await Promise.all([far.received(sent), near.drained()])
      same(far.frames.length, sent, 'frames')
      check(far.frames.every(isFrameAt), 'a frame has changed or is out of order')
    },
  },
  {
    title: 'pause inside onFrame holds back the rest of what came with it',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.whenFrame = (count) => {
        if (count === 3) far.link.pause()
      }
      for (let at = 0; at < 10; at += 1) near.write(20, at)
      near.link.flush()
      await far.received(3)
      await turns()
      same(far.frames.length, 3, 'frames while paused')
      // The other direction goes on.
      far.send(6)
      await near.received(1)
      far.link.resume()
      await far.received(10)
      check(far.frames.every(isFrameAt), 'a frame has changed or is out of order')
    },
  },
  {
    title: 'onDrain comes when everything has left',
    async run(stage) {
      const [near] = await stage.pair()
      near.write(1_000)
      check(near.link.unsentBytes >= 1_000, 'unsent bytes before flush')
      near.link.flush()
      await near.drained()
      same(near.link.unsentBytes, 0, 'unsent bytes after onDrain')
    },
  },
]

function isFrameAt(frame: Uint8Array, at: number): boolean {
  return isFrame(frame, at)
}

const addressCases: readonly SuiteCase[] = [
  {
    title: 'both ends know the name of their transport',
    async run(stage) {
      const [near, far] = await stage.connect()
      check(near.link.peer.transport !== '', 'name')
      same(far.link.peer.transport, near.link.peer.transport, 'name at the listener')
    },
  },
  {
    title: 'a dial that was aborted before rejects',
    async run(stage) {
      const signal: DialOptions['signal'] = {
        aborted: true,
        reason: new Error('given up'),
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
      }
      check(await rejects(stage.dial(signal)), 'the dial did not reject')
    },
  },
  {
    title: 'maxConnections counts the links that are open',
    maxConnections: 1,
    async run(stage) {
      const [first, other] = await stage.pair()
      // Refused in the transport's own words: no link, or one that closes at once.
      const second = await stage.dial().catch(() => undefined)
      if (second !== undefined) await stage.end(second).open().closed()
      first.send(6)
      await first.drained()
      await Promise.all([first.link.close(), other.closed()])
      await turns()
      const [third, fourth] = await stage.pair()
      third.send(6)
      await fourth.received(1)
    },
  },
  {
    title: 'a listener that was asked for port 0 says which it has',
    needs: 'ports',
    async run(stage) {
      check(stage.listener.port > 0, 'no port')
      check(stage.listener.address !== '', 'no address')
      await stage.pair()
    },
  },
  {
    title: 'a dial where nobody listens rejects',
    needs: 'refusesDial',
    async run(stage) {
      await stage.listener.close()
      check(await rejects(stage.dial()), 'the dial did not reject')
    },
  },
  {
    title: 'a closed listener accepts no more, its links live on; twice is harmless',
    async run(stage) {
      const [near, far] = await stage.pair()
      await Promise.all([stage.listener.close(), stage.listener.close()])
      near.send(100, 1)
      far.send(100, 2)
      await Promise.all([near.received(1), far.received(1)])
    },
  },
  {
    title: 'an address belongs to one listener until it is closed',
    needs: 'exclusiveAddress',
    async run(stage) {
      const address = stage.kit.client(stage.listener)
      check(await rejects(stage.listen(address)), 'two listeners at one address')
      const [near] = await stage.pair()
      await stage.listener.close()
      stage.listener = await stage.listen(address)
      await stage.pair()
      same(near.close, undefined, 'the old link')
    },
  },
]

async function rejects(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => false,
    (error: unknown) => error instanceof Error,
  )
}
