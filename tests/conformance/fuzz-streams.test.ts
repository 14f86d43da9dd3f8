// Byte streams that were good once, mutated, against a whole server: nothing escapes, the ledgers
// stay within their caps, and another connection notices nothing.

import { createClient } from '@callbox/client'
import { PrefixParser, type Link } from '@callbox/core/internal'
import { createServer, implement, silent } from '@callbox/server'
import { memory, VirtualClock } from '@callbox/testing'
import { conf, handlers, leftOfServer, overCaps } from '@callbox/testing/conformance'
import {
  joined,
  prefixed,
  rawAck,
  rawCancel,
  rawCredit,
  rawData,
  rawEnd,
  rawFrame,
  rawHello,
  rawNotify,
  rawPing,
  rawRequest,
  u32,
} from '@callbox/testing/node'
import { expect, test } from 'vitest'
import { sizes } from '../sizes.ts'

const name = (method: string): Uint8Array =>
  joined(Uint8Array.of(5 + method.length), new TextEncoder().encode(`conf.${method}`))

/** A conversation in which every kind of frame of a client stands. */
const good = joined(
  ...[
    rawHello(),
    rawRequest({ id: 1, method: 'conf.values', value: { a: [1, 'two', null] } }),
    rawRequest({ id: 3, method: 'conf.hangStream', value: { id: 'f', items: 3 }, deadlineMs: 900 }),
    rawRequest({ id: 5, method: 'conf.upload', open: true }),
    rawData(5, new Uint8Array(9)),
    rawFrame(0x11, 0x01, 5, u32(20), new Uint8Array(11)),
    rawFrame(0x11, 0x40, 5, new Uint8Array(9)),
    rawEnd(5),
    rawFrame(
      0x10,
      0x0d,
      7,
      name('checksum'),
      u32(12),
      Uint8Array.of(0, 1, 0x80),
      new Uint8Array(5),
    ),
    rawPing(),
    rawCredit(3, 100_000),
    rawNotify('conf.note', { n: 1 }),
    rawAck(0),
    rawCancel(3),
    rawRequest({ id: 9, method: 7, value: 1 }),
  ].map(prefixed),
)

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Up to four bytes changed, a part cut out, doubled or moved; HELLO mostly stays as it was. */
function mutated(random: () => number): Uint8Array {
  const pick = (count: number): number => Math.floor(random() * count)
  const from = random() < 0.9 ? rawHello().length + 4 : 0
  const at = (): number => from + pick(good.length - from)
  const bytes = Uint8Array.from(good)
  for (let change = pick(5); change > 0; change -= 1) bytes[at()] = pick(256)
  const [a, b] = [at(), at()].sort((x, y) => x - y) as [number, number]
  switch (pick(5)) {
    case 0:
      return joined(bytes.subarray(0, a), bytes.subarray(b))
    case 1:
      return joined(bytes.subarray(0, b), bytes.subarray(a))
    case 2:
      return bytes.subarray(0, a)
    default:
      return bytes
  }
}

/** Feeds a stream as a socket would: in chunks, until the parser or the link has had enough. */
function feed(link: Link, bytes: Uint8Array, random: () => number, open: () => boolean): void {
  const parser = new PrefixParser(66_560, (buffer, start, end) => {
    // The link borrows four bytes in front.
    const frame = new Uint8Array(4 + end - start)
    frame.set(buffer.subarray(start, end), 4)
    link.write(frame, 4, frame.length)
  })
  try {
    for (let at = 0; at < bytes.length && open();) {
      const size = 1 + Math.floor(random() * 200)
      parser.push(bytes.slice(at, at + size))
      at += size
    }
    link.flush()
  } catch {
    // A length that cannot be: a socket would be cut here.
    link.flush()
    link.abort()
  }
}

/** Streams of one turn of the loop. Divides all sizes. */
const together = 20

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test(
  `${sizes.fuzzStreams} mutated streams: no uncaught error, ledgers within caps, others unaffected [case C12]`,
  { timeout: 900_000 },
  async () => {
    const uncaught: unknown[] = []
    const onError = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', onError)
    process.on('unhandledRejection', onError)
    const internal: unknown[] = []
    const clock = new VirtualClock()
    const transport = memory()
    const server = createServer({
      services: [implement(conf, handlers())],
      clock,
      limits: { sessionGraceMs: 0 },
      logger: (level, event, fields) => {
        if (level === 'error' || fields['code'] === 'internal') internal.push([event, fields])
        else silent(level, event, fields)
      },
    })
    await server.listen(transport)
    const honest = createClient({ conf }, transport, { clock })
    const random = randomFrom(20_261_126)
    const { signal } = new AbortController()
    const over: string[] = []
    let ended = 0
    try {
      for (let stream = 0; stream < sizes.fuzzStreams; stream += together) {
        const links: Link[] = []
        for (let one = 0; one < together; one += 1) {
          const link = await transport.dial({ signal, maxFrame: 66_560 })
          links.push(link)
          let open = true
          link.open({
            onFrame: () => undefined,
            onDrain: () => undefined,
            onClose: () => {
              open = false
              ended += 1
            },
          })
          feed(link, mutated(random), random, () => open)
        }
        await turn()
        if (stream % 100 === 0) {
          for (const connection of server.inspect().connections) over.push(...overCaps(connection))
          expect(await honest.conf.values(stream)).toBe(stream)
        }
        for (const link of links) link.abort()
        if (stream % 1_000 === 0) await clock.advance(10_000)
      }
      await honest.close()
      await clock.advance(10_000)
      expect(leftOfServer(server.inspect())).toEqual([])
      expect(ended).toBe(sizes.fuzzStreams)
      expect(over).toEqual([])
      expect(internal).toEqual([])
      expect(uncaught).toEqual([])
    } finally {
      process.off('uncaughtException', onError)
      process.off('unhandledRejection', onError)
      await honest.close()
      await server.close({ graceMs: 0 })
    }
  },
)
