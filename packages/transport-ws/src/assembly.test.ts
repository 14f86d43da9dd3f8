import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Assembly } from './assembly.ts'

test('any pieces give what they are together', () => {
  const size = fc.oneof(fc.nat(20), fc.nat(600), fc.integer({ min: 4_000, max: 20_000 }))
  fc.assert(
    fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
      const assembly = new Assembly()
      const all: Uint8Array[] = []
      for (const [index, count] of sizes.entries()) {
        const chunk = new Uint8Array(count + 5).fill(index + 1)
        assembly.add(chunk, 2, 2 + count)
        all.push(chunk.subarray(2, 2 + count))
      }
      const whole = Buffer.concat(all)
      expect(assembly.length).toBe(whole.length)
      expect(whole.equals(assembly.take())).toBe(true)
      expect(assembly.length).toBe(0)
    }),
    { numRuns: 200 },
  )
})

test('many bytes one by one: few pieces, and no byte twice', () => {
  const assembly = new Assembly()
  const byte = new Uint8Array(1)
  for (let at = 0; at < 200_000; at += 1) {
    byte[0] = at
    assembly.add(byte, 0, 1)
  }
  const { pieces } = assembly as unknown as { pieces: Uint8Array[] }
  expect(pieces.length).toBeLessThan(15)
  const whole = assembly.take()
  expect(whole.length).toBe(200_000)
  expect(whole.every((value, at) => value === (at & 0xff))).toBe(true)
})

test('one large piece is not copied', () => {
  const assembly = new Assembly()
  const chunk = new Uint8Array(10_000)
  assembly.add(chunk, 0, 10_000)
  expect(assembly.take().buffer).toBe(chunk.buffer)
})
