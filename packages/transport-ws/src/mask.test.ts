import { expect, test } from 'vitest'
import { mask } from './mask.ts'

/** RFC 6455, section 5.3, as it is written. */
function naive(bytes: Uint8Array, key: number, offset: number): Uint8Array {
  const octets = [key >>> 24, (key >>> 16) & 0xff, (key >>> 8) & 0xff, key & 0xff]
  return bytes.map((byte, index) => byte ^ octets[(index + offset) % 4]!)
}

test('every length, alignment and offset agrees with the definition', () => {
  const key = 0x37fa213d
  for (const length of [0, 1, 2, 3, 4, 5, 63, 64, 65, 66, 67, 127, 1_000])
    for (let start = 0; start < 5; start += 1)
      for (let offset = 0; offset < 5; offset += 1) {
        const buffer = new Uint8Array(start + length + 3).map((_, index) => index * 13)
        const expected = naive(buffer.slice(start, start + length), key, offset)
        const before = buffer.slice()
        mask(buffer, start, start + length, key, offset)
        expect(buffer.subarray(start, start + length)).toEqual(expected)
        // Nothing around it has changed.
        expect(buffer.subarray(0, start)).toEqual(before.subarray(0, start))
        expect(buffer.subarray(start + length)).toEqual(before.subarray(start + length))
      }
})

test('masking twice gives the bytes back', () => {
  const bytes = new Uint8Array(500).map((_, index) => index)
  mask(bytes, 0, 500, 0x80ff0102)
  mask(bytes, 0, 500, 0x80ff0102)
  expect(bytes).toEqual(new Uint8Array(500).map((_, index) => index))
})
