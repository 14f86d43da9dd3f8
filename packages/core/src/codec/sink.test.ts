import { expect, test } from 'vitest'
import { ByteSink } from './sink.ts'

test('a frame that outgrows its slab moves with all of the room in front of it', () => {
  const sink = new ByteSink()
  // Until the slab is nearly full, so that the next frame must move.
  for (let frame = 0; frame < 48; frame += 1) {
    sink.begin(300)
    sink.append(new Uint8Array(20).fill(frame))
  }
  sink.begin(300)
  const before = sink.buffer
  sink.append(new Uint8Array(10_000).fill(7))
  expect(sink.buffer).not.toBe(before)
  expect(sink.start).toBe(300)
  expect(sink.position).toBe(10_300)
  expect(sink.buffer.subarray(sink.start, sink.position).every((byte) => byte === 7)).toBe(true)
})

test('a frame that grows piece by piece keeps its bytes', () => {
  const sink = new ByteSink()
  sink.begin(10)
  for (let piece = 0; piece < 100; piece += 1) sink.append(new Uint8Array(1_000).fill(piece))
  const bytes = sink.buffer.subarray(sink.start, sink.position)
  expect(bytes.length).toBe(100_000)
  for (let piece = 0; piece < 100; piece += 1) expect(bytes[piece * 1_000 + 999]).toBe(piece)
})

test('reset forgets the frame begun last and nothing else', () => {
  const sink = new ByteSink()
  sink.begin(10)
  sink.append(Uint8Array.of(1, 2, 3))
  const kept = sink.buffer.subarray(sink.start, sink.position)
  sink.begin(10)
  sink.append(Uint8Array.of(9, 9))
  sink.reset()
  expect(sink.position).toBe(sink.start)
  expect([...kept]).toEqual([1, 2, 3])
})
