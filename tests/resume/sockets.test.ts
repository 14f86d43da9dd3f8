// The same promises over real sockets: a recorded conversation, cut at every byte of it.

import type { Client } from '@callbox/client'
import { everyCut, shapesFor, type Cut } from '@callbox/testing/node'
import { afterEach, describe, expect, test } from 'vitest'
import { faultSizes } from '../sizes.ts'
import { closeLanes, openLane as open, type Lane } from './lane.ts'
import { numbersOf, type world as contract } from './world.ts'

afterEach(closeLanes)

const sequence = Array.from({ length: 12 }, (_, n) => n + 1)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Items both ways, calls both ways, events both ways; what each side has seen. */
async function converse(client: Client<{ world: typeof contract }>): Promise<unknown> {
  const stream = client.world.double()
  const talk = async (): Promise<number[]> => {
    const answers: number[] = []
    for (const n of sequence) {
      await stream.send(n)
      const { value } = await stream.next()
      answers.push(value as number)
    }
    stream.end()
    return [...answers, ...(await numbersOf(stream))]
  }
  return Promise.all([
    talk(),
    numbersOf(client.world.count(12)),
    client.world.ask('q'),
    client.world.note('n'),
    client.world.echo('e'),
  ])
}

const heard = [sequence.map((n) => 2 * n), sequence, 'q', undefined, 'e']
const ranOnce = ['ask q', 'confirm q', 'count 12', 'double', 'echo e', 'note n', 'tell q']

/** One conversation over a connection that is cut; true if it was. */
async function cutOnce(lane: Lane, cut: Cut): Promise<boolean> {
  const what = `${cut.way} at byte ${cut.atByte} by ${cut.by}`
  lane.ran.length = 0
  lane.next = shapesFor(cut)
  const before = lane.proxy.accepted
  const client = lane.connect()
  const lost: string[] = []
  client.on('sessionLost', () => lost.push(what))
  expect(await converse(client), `${what}`).toEqual(heard)
  expect(lane.ran.toSorted(), `${what}`).toEqual(ranOnce)
  expect(lost).toEqual([])
  const wasCut = lane.proxy.accepted > before + 1
  await client.close()
  return wasCut
}

describe.each(['tcp', 'ws'] as const)('over %s', (name) => {
  test(
    `cut at every byte of a recorded conversation: as if nothing had happened [case C94]`,
    { timeout: 300_000 },
    async () => {
      const first = await open(name)
      const client = first.connect()
      expect(await converse(client)).toEqual(heard)
      const { upBytes: up, downBytes: down } = first.proxy.connections[0]!
      await client.close()
      expect(up).toBeLessThanOrEqual(4_096)
      expect(down).toBeLessThanOrEqual(4_096)
      const cuts = everyCut({ up, down }).filter((_, nth) => nth % faultSizes.cutStep === 0)
      const lanes = [first, ...(await Promise.all(sequence.map(() => open(name))))]
      let cutCount = 0
      const left = cuts.values()
      const work = async (lane: Lane): Promise<void> => {
        for (const cut of left) if (await cutOnce(lane, cut)) cutCount += 1
      }
      await Promise.all(lanes.map(work))
      // Where an acknowledgment comes a little later than when it was recorded, the last bytes are not reached.
      expect(cutCount).toBeGreaterThan(cuts.length * 0.9)
    },
  )

  test('other chunks: one byte at a time, seven, and joined [case C94]', async () => {
    for (const chunkBytes of [1, 7, 100_000]) {
      const lane = await open(name)
      const shape = { chunkBytes, delayMs: chunkBytes === 100_000 ? 20 : 0 }
      lane.next = { up: shape, down: shape }
      const client = lane.connect()
      expect(await converse(client)).toEqual(heard)
      expect(lane.ran.toSorted()).toEqual(ranOnce)
      await client.close()
    }
  })

  test(
    `cut at random under load both ways: sums equal [case C95]`,
    { timeout: 120_000 },
    async () => {
      const lane = await open(name)
      const client = lane.connect()
      let [lost, resumed] = [0, 0]
      client.on('sessionLost', () => (lost += 1))
      client.on('resumed', () => (resumed += 1))
      let going = true
      const numbers = async function* (): AsyncGenerator<number> {
        for (let n = 1; going; n += 1) {
          yield n
          uploaded += n
        }
      }
      let uploaded = 0
      const upload = client.world.sum(numbers())
      const stream = client.world.count(1_000_000_000)
      let downloaded = 0
      const reading = (async () => {
        for await (const n of stream) {
          if (n !== downloaded + 1) throw new Error(`${n} behind ${downloaded}`)
          downloaded = n
          if (!going) break
        }
      })()
      let calls = 0
      const calling = (async () => {
        for (; going; calls += 1) await client.world.echo(`${calls}`)
      })()
      for (let cuts = 0; cuts < faultSizes.randomCuts; cuts += 1) {
        const { accepted } = lane.proxy
        if (cuts % 2 === 0) lane.proxy.reset()
        else lane.proxy.cut()
        // The next cut comes somewhere in the handshake, the replay or the traffic behind it.
        await pause((cuts * 7) % 13)
        while (cuts % 3 === 0 && lane.proxy.accepted === accepted) await pause(1)
      }
      going = false
      expect(await upload).toBe(uploaded)
      await reading
      await calling
      expect(downloaded).toBeGreaterThan(1_000)
      expect(lane.ran.filter((each) => each.startsWith('echo'))).toEqual(
        Array.from({ length: calls }, (_, n) => `echo ${n}`),
      )
      expect([lost, resumed > 0]).toEqual([0, true])
      await client.close()
    },
  )
})
