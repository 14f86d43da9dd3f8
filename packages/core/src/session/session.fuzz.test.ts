// A server under mutated frames: nothing escapes, nothing is kept, nobody else notices.

import { readFileSync } from 'node:fs'
import { createClient } from '@callbox/client'
import { createServer, implement, silent } from '@callbox/server'
import { memory } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { encodeValue } from '../codec/msgpack-value.ts'
import { contract } from '../contract/contract.ts'
import { contractHash } from '../contract/fingerprint.ts'
import { bidi, clientStream, event, serverStream, unary } from '../contract/kinds.ts'
import { helloFrame } from '../frames/fields.ts'
import { frameRoom, type Link } from '../link/link.ts'

const target = contract('s', {
  m: unary({ input: T.String(), output: T.String() }),
  stream: serverStream({ input: T.String(), output: T.String() }),
  up: clientStream({ input: T.String(), output: T.Integer() }),
  both: bidi({ input: T.String(), output: T.String() }),
  e: event({ input: T.String() }),
})

const service = implement(target, {
  m: (text) => text,
  stream: async function* (text) {
    for (let n = 0; n < 3; n += 1) yield text
  },
  up: async (_, call) => {
    let count = 0
    for await (const _item of call.input) count += 1
    return count
  },
  both: async function* (_, call) {
    yield* call.input
  },
  e: () => undefined,
})

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

const golden = readFileSync(new URL('../../../../tests/golden/frames.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => Buffer.from(line.split(/ +/).slice(1).join(''), 'hex'))

const limits = {
  maxFrame: 66_560,
  maxMessage: 4_194_304,
  maxMeta: 8_192,
  maxCalls: 256,
  window: 262_144,
}
const hello = helloFrame(
  encodeValue({
    client: { name: 'fuzz', version: '' },
    contracts: [['s', contractHash(target)]],
    codecs: ['msgpack'],
    caps: 0,
    limits,
  }),
)

/** A frame as an honest peer would send it next, or one with a few bytes changed, cut or added. */
function mutated(random: () => number, id: number): Uint8Array {
  const pick = (count: number): number => Math.floor(random() * count)
  const frame = Uint8Array.from(golden[pick(golden.length)]!)
  // Mostly ids that are open or come next: other ids end the connection at once.
  if (frame[0]! >= 0x10 && frame[0] !== 0x16 && random() < 0.9) {
    const near = Math.max(1, id - 2 * pick(3))
    frame.set([0, 0, near >>> 8, near & 0xff], 2)
  }
  if (random() < 0.4) return frame
  for (let change = 0; change <= pick(3); change += 1) frame[pick(frame.length)] = pick(256)
  if (random() < 0.1) return frame.subarray(0, pick(frame.length) + 1)
  if (random() < 0.1)
    return Uint8Array.from([...frame, ...Array.from({ length: pick(40) }, () => pick(256))])
  return frame
}

function send(link: Link, frame: Uint8Array): void {
  const buffer = new Uint8Array(frameRoom + frame.length)
  buffer.set(frame, frameRoom)
  link.write(buffer, frameRoom, buffer.length)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The least of some collections: what the first one frees lets finalizers free the rest. */
async function usedBytes(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) throw new Error('run with --expose-gc')
  let least = Infinity
  for (let round = 0; round < 5; round += 1) {
    await turn()
    gc()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

test(
  `${sizes.fuzzFrames} mutated frames: no uncaught error, no memory kept, others unaffected [threat K9]`,
  { timeout: 300_000 },
  async () => {
    const uncaught: unknown[] = []
    const onError = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', onError)
    process.on('unhandledRejection', onError)
    const internal: unknown[] = []
    const transport = memory()
    const server = createServer({
      services: [service],
      limits: { maxLagMs: 600_000 },
      logger: (level, name, fields) => {
        if (level === 'error' || fields['code'] === 'internal') internal.push([name, fields])
        else silent(level, name, fields)
      },
    })
    await server.listen(transport)
    const honest = createClient({ target }, transport)
    const random = randomFrom(20_261_124)
    let sent = 0
    let before = 0
    let answered = 0
    try {
      while (sent < sizes.fuzzFrames) {
        const link = await transport.dial({
          signal: new AbortController().signal,
          maxFrame: 66_560,
        })
        let open = true
        link.open({
          onFrame: () => undefined,
          onDrain: () => undefined,
          onClose: () => (open = false),
        })
        link.write(hello.buffer.slice(), hello.start, hello.end)
        link.flush()
        await turn()
        for (let id = 1; open && id < 80; id += 2) {
          for (let frame = 0; frame < 4; frame += 1, sent += 1) send(link, mutated(random, id))
          link.flush()
          await turn()
        }
        link.abort()
        if (sent % 500 < 100) {
          expect(await honest.target.m('still here')).toBe('still here')
          answered += 1
        }
        if (before === 0 && sent >= 10_000) before = await usedBytes()
      }
      expect((await usedBytes()) - before).toBeLessThan(2 * 1024 * 1024)
      expect(answered).toBeGreaterThan(sizes.fuzzFrames / 20_000)
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
