import { expect, test } from 'vitest'
import { batchedBytes, readBatch, writeBatch } from './batch.ts'

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const frame = hex('12 00 00 00 00 01')

function frames(batch: Uint8Array): string[] {
  const seen: string[] = []
  readBatch(batch, 6, batch.length, (buffer, start, end) =>
    seen.push(Buffer.from(buffer.subarray(start, end)).toString('hex')),
  )
  return seen
}

test('frames with their prefixes behind one header', () => {
  const range = { buffer: frame, start: 0, end: 6 }
  const batch = writeBatch([range, range])
  expect(Buffer.from(batch).toString('hex')).toBe(
    '0a0000000000' + '00000006120000000001' + '00000006120000000001',
  )
  expect(batch.length).toBe(6 + 2 * batchedBytes(range))
  expect(frames(batch)).toEqual(['120000000001', '120000000001'])
})

test('1,000 frames in one [case C8]', () => {
  const ranges = Array.from({ length: 1_000 }, () => ({ buffer: frame, start: 0, end: 6 }))
  expect(frames(writeBatch(ranges))).toHaveLength(1_000)
})

test.each([
  ['empty', '0a0000000000'],
  ['cut in a prefix', '0a0000000000 0000'],
  ['cut in a frame', '0a0000000000 00000007 120000000001'],
  ['with a frame that is none', '0a0000000000 00000005 1200000000'],
  ['nested', '0a0000000000 00000006 0a0000000000'],
  ['that claims 4 GiB', '0a0000000000 ffffffff 120000000001'],
])('a BATCH %s breaks the protocol [case C8]', (_, text) => {
  expect(() => frames(hex(text))).toThrow('BATCH')
})
