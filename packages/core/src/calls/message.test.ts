import { expect, test } from 'vitest'
import { resolveLimits } from '../base/limits.ts'
import { msgpackCodec } from '../codec/msgpack.ts'
import { decodeValue } from '../codec/msgpack-value.ts'
import { ByteSink } from '../codec/sink.ts'
import { FrameType, Flag } from '../frames/frame.ts'
import { cutFragment, encodeMessage, writeHead } from './message.ts'

const limits = resolveLimits()
const codec = msgpackCodec(limits).of(undefined)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a head is written backwards from the payload: header, method, deadline, META', () => {
  const meta = Uint8Array.of(0x80)
  const message = encodeMessage(new ByteSink(), codec, 'hi', meta)
  const start = writeHead(message, {
    type: FrameType.Request,
    flags: Flag.End,
    id: 5,
    method: 0x0102,
    deadlineMs: 30_000,
  })
  expect(hex(message.buffer.subarray(start, message.end))).toBe(
    ['10', '16', '00000005', '0102', '00007530', '0001', '80', 'a26869'].join(''),
  )
})

test('a method by name stands with its length', () => {
  const message = encodeMessage(new ByteSink(), codec, undefined)
  const head = { type: FrameType.Request, flags: 0, id: 1, method: Buffer.from('a.b') }
  const start = writeHead(message, head)
  expect(hex(message.buffer.subarray(start, message.end))).toBe(
    '10' + '08' + '00000001' + '03' + '612e62',
  )
})

test('a first fragment announces the total, the others have a header only', () => {
  const message = encodeMessage(new ByteSink(), codec, new Uint8Array(10).fill(7))
  const head = { type: FrameType.Data, flags: Flag.More, id: 3 }
  const first = cutFragment(message, message.start, message.start + 4, head)
  expect(hex(first.buffer.subarray(first.start))).toBe(
    '11' + '01' + '00000003' + '0000000c' + 'c40a0707',
  )
  const next = cutFragment(message, message.start + 4, message.end, { ...head, flags: Flag.Cont })
  expect(hex(next.buffer.subarray(next.start))).toBe('11' + '40' + '00000003' + '0707070707070707')
})

test('a getter that encodes in the middle of a message does not disturb it', () => {
  const sink = new ByteSink()
  const value = {
    get inner(): string {
      encodeMessage(sink, codec, 'something else')
      return 'x'
    },
    after: 1,
  }
  const message = encodeMessage(sink, codec, value)
  expect(decodeValue(message.buffer, message.start, message.end, limits)).toEqual({
    inner: 'x',
    after: 1,
  })
})

test('a value that does not encode is refused with its path, and leaves nothing behind', () => {
  const sink = new ByteSink()
  expect(() => encodeMessage(sink, codec, { a: [new Map()] })).toThrow(/\/a\/0/)
  const message = encodeMessage(sink, codec, 1)
  expect(hex(message.buffer.subarray(message.start, message.end))).toBe('01')
})
