import { describe, expect, test } from 'vitest'
import { Queue } from './queue.ts'

describe('Queue', () => {
  test('gives entries back in the order they came', () => {
    const queue = new Queue<number>()
    for (let index = 0; index < 1_000; index += 1) queue.push(index)
    expect(queue.length).toBe(1_000)
    for (let index = 0; index < 1_000; index += 1) {
      expect(queue.peek()).toBe(index)
      expect(queue.shift()).toBe(index)
    }
    expect(queue.length).toBe(0)
  })

  test('an empty queue gives undefined', () => {
    const queue = new Queue<number>()
    expect([queue.length, queue.peek(), queue.shift()]).toEqual([0, undefined, undefined])
    queue.push(1)
    queue.shift()
    expect([queue.length, queue.peek(), queue.shift(), queue.length]).toEqual([
      0,
      undefined,
      undefined,
      0,
    ])
  })

  test('an entry may be undefined or null', () => {
    const queue = new Queue<unknown>()
    queue.push(undefined)
    queue.push(null)
    expect(queue.length).toBe(2)
    expect([queue.shift(), queue.shift(), queue.length]).toEqual([undefined, null, 0])
  })

  test('equals an array under 100,000 random operations', () => {
    const queue = new Queue<number>()
    const model: number[] = []
    // Long runs of one kind, so that the ring wraps, grows and shrinks at every offset.
    let state = 1
    const chance = (): number => (state = Math.imul(state, 1_103_515_245) + 12_345) >>> 16
    for (let step = 0; step < 100_000; step += 1) {
      const pushes = chance() % 2 === 0
      for (let run = chance() % 8; run > 0; run -= 1) {
        if (pushes) {
          queue.push(step)
          model.push(step)
        } else if (queue.shift() !== model.shift()) throw new Error(`differs at step ${step}`)
      }
      if (queue.length !== model.length || queue.peek() !== model[0])
        throw new Error(`step ${step}`)
      if (chance() % 10_000 === 0) {
        queue.clear()
        model.length = 0
      }
    }
    expect(queue.length).toBe(model.length)
  })

  test('keeps its ring while it fills and empties, and a taken entry is not held', async () => {
    const queue = new Queue<object>()
    queue.push({})
    const { capacity } = queue
    for (let index = 0; index < 1_000; index += 1) {
      queue.push({})
      queue.shift()
    }
    expect(queue.capacity).toBe(capacity)
    queue.shift()
    const held = new WeakRef({ some: 'entry' })
    queue.push(held.deref()!)
    queue.shift()
    queue.push({})
    // A WeakRef keeps its target until the turn is over.
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc?.()
    expect(held.deref()).toBe(undefined)
  })

  test('memory goes back after a burst, also while some entries stay', () => {
    const queue = new Queue<number>()
    for (let index = 0; index < 100_000; index += 1) queue.push(index)
    expect(queue.capacity).toBe(131_072)
    while (queue.length > 100) queue.shift()
    expect(queue.capacity).toBeLessThanOrEqual(1_024)
    expect(queue.peek()).toBe(99_900)
    while (queue.length > 0) queue.shift()
    expect(queue.capacity).toBe(64)
    queue.clear()
    expect(queue.capacity).toBe(0)
    queue.push(7)
    expect(queue.shift()).toBe(7)
  })
})
