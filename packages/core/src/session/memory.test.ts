import { beforeEach, expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { VirtualClock } from '@callbox/testing'
import { Ledger } from './ledger.ts'
import { Memory, type MemoryMember } from './memory.ts'

const limit = 1_000
let clock: VirtualClock
let memory: Memory

class Connection implements MemoryMember {
  readonly ledger: Ledger
  stalledSince: number | undefined
  reading = true
  alive = true

  constructor(bytes: number) {
    this.ledger = new Ledger(memory)
    memory.join(this)
    this.ledger.buffer(bytes)
  }
  get heldBytes(): number {
    return this.ledger.bytes
  }
  get overBudget(): boolean {
    return this.ledger.bytes > 300
  }
  pauseReading(): void {
    this.reading = false
  }
  resumeReading(): void {
    this.reading = true
  }
  sacrifice(): void {
    this.alive = false
    memory.leave(this)
    this.ledger.close()
  }
}

beforeEach(() => {
  clock = new VirtualClock()
  memory = new Memory(clock, new Timers(clock), limit, { bytes: 0 })
})

test('a ledger sums what a connection holds, and a closed one holds nothing', () => {
  const { ledger } = new Connection(10)
  ledger.hold(20)
  ledger.wait(30)
  ledger.keep(40)
  ledger.keep(35)
  expect([ledger.bytes, memory.bytes]).toEqual([95, 95])
  ledger.close()
  ledger.buffer(-10)
  expect([ledger.bytes, memory.bytes]).toEqual([0, 0])
})

test('over the limit those over their own budget are not read, until it is better', async () => {
  const [large, small] = [new Connection(900), new Connection(101)]
  await clock.advance(200)
  expect([large.reading, small.reading]).toEqual([false, true])
  large.ledger.buffer(-500)
  await clock.advance(200)
  expect([large.reading, large.alive]).toEqual([true, true])
})

test('still over after 10 s: the largest has to go', async () => {
  const [large, small] = [new Connection(900), new Connection(150)]
  await clock.advance(9_000)
  expect(large.alive).toBe(true)
  await clock.advance(2_000)
  expect([large.alive, small.alive]).toEqual([false, true])
  expect(memory.bytes).toBe(150)
})

test('far over: at once, the longest stalled first, as many as it takes', async () => {
  const connections = [400, 500, 600].map((bytes) => new Connection(bytes))
  connections[0]!.stalledSince = 7
  await clock.advance(50)
  expect(connections.map(({ alive }) => alive)).toEqual([false, true, true])
  await clock.advance(11_000)
  expect(connections.map(({ alive }) => alive)).toEqual([false, true, false])
})

test('reserves of the process have its limit too', () => {
  expect(memory.reserve(limit)).toBe(true)
  expect(memory.reserve(1)).toBe(false)
  memory.release(limit)
  expect(memory.reserve(1)).toBe(true)
})

test('far over by hundreds before any timer runs: below the limit again within the turn [threat S5]', async () => {
  const connections = Array.from({ length: 300 }, () => new Connection(100))
  expect(memory.bytes).toBe(30_000)
  // The end of the turn, not the next timer.
  await Promise.resolve()
  await Promise.resolve()
  await Promise.resolve()
  expect(memory.bytes).toBeLessThanOrEqual(1.1 * limit)
  expect(connections.filter(({ alive }) => alive)).toHaveLength(11)
})
