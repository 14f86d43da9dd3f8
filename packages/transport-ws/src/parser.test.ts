import { describe, expect, test } from 'vitest'
import { WebSocketError } from './opcode.ts'
import { Parser, type ParserOptions } from './parser.ts'
import { closeFrame, controlFrame, writeFrameHeader } from './writer.ts'

type Role = ParserOptions['role']

interface Seen {
  readonly events: string[]
  readonly error: unknown
}

/** What a parser makes of these chunks. Chunks are copied: payloads are unmasked in place. */
function parse(role: Role, chunks: readonly Uint8Array[], maxMessage = 70_000): Seen {
  const events: string[] = []
  const parser = new Parser(
    { role, maxMessage, maxFragments: 4 },
    {
      onMessage: (buffer, start, end) =>
        events.push(`message ${Buffer.from(buffer.subarray(start, end)).toString('hex')}`),
      onControl: (opcode, payload) =>
        events.push(`control ${opcode} ${Buffer.from(payload).toString('hex')}`),
    },
  )
  try {
    for (const chunk of chunks) parser.push(Uint8Array.from(chunk))
  } catch (error) {
    return { events, error }
  }
  return { events, error: undefined }
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const oneByOne = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((byte) => Uint8Array.of(byte))

function codeOf({ error }: Seen): number | undefined {
  return error instanceof WebSocketError ? error.code : undefined
}

/** Whole, byte by byte, and cut in two at every place: the same each time. */
function everyWay(role: Role, bytes: Uint8Array, check: (seen: Seen) => void): void {
  check(parse(role, [bytes]))
  check(parse(role, oneByOne(bytes)))
  for (let at = 1; at < bytes.length; at += 1)
    check(parse(role, [bytes.subarray(0, at), bytes.subarray(at)]))
}

const good: readonly (readonly [
  title: string,
  role: Role,
  bytes: string,
  events: readonly string[],
])[] = [
  ['an unmasked message (5.7)', 'client', '82 05 48656c6c6f', ['message 48656c6c6f']],
  ['a masked message (5.7)', 'server', '82 85 37fa213d 7f9f4d5158', ['message 48656c6c6f']],
  ['an empty message', 'client', '82 00', ['message ']],
  ['a message in two frames (5.7)', 'client', '02 03 48656c 80 02 6c6f', ['message 48656c6c6f']],
  [
    'a ping between the fragments (5.4)',
    'client',
    '02 03 48656c 89 02 0102 80 02 6c6f',
    ['control 9 0102', 'message 48656c6c6f'],
  ],
  ['an empty first fragment', 'client', '02 00 80 01 aa', ['message aa']],
  ['a ping with a masked payload', 'server', '89 85 37fa213d 7f9f4d5158', ['control 9 48656c6c6f']],
  ['a close with a code', 'client', '88 02 03e8', ['control 8 03e8']],
  ['two messages in a row', 'client', '82 01 aa 82 01 bb', ['message aa', 'message bb']],
]

describe('what is legal', () => {
  test.each(good)('%s', (_, role, bytes, events) => {
    everyWay(role, hex(bytes), (seen) => expect(seen).toEqual({ events, error: undefined }))
  })

  test.each([125, 126, 127, 65_535, 65_536])(
    'a message of %i bytes, in its shortest length form',
    (size) => {
      const bytes = new Uint8Array(14 + size)
      const at = writeFrameHeader(bytes, 0, 2, size, undefined)
      const frame = bytes.fill(7, at, at + size).subarray(0, at + size)
      const { events, error } = parse('client', [frame.subarray(0, 5), frame.subarray(5)])
      expect(error).toBeUndefined()
      expect(events).toEqual([`message ${'07'.repeat(size)}`])
    },
  )
})

const bad: readonly (readonly [title: string, role: Role, bytes: string, code: number])[] = [
  ['RSV1 (5.2) [threat F8] [threat F14] [threat X11]', 'client', 'c2 00', 1002],
  ['RSV2 [threat F8]', 'client', 'a2 00', 1002],
  ['RSV3', 'client', '92 00', 1002],
  ['opcode 3 [threat F8]', 'client', '83 00', 1002],
  ['opcode 7', 'client', '87 00', 1002],
  ['opcode 11', 'client', '8b 00', 1002],
  ['opcode 15', 'client', '8f 00', 1002],
  ['text, which the RPC layer does not speak [threat F12]', 'client', '81 01 61', 1003],
  ['a masked frame from a server (5.1) [threat F7]', 'client', '82 81 00000000 aa', 1002],
  ['an unmasked frame from a client (5.1) [threat F7]', 'server', '82 01 aa', 1002],
  ['a fragmented ping (5.5) [threat F9]', 'client', '09 00', 1002],
  ['a ping of 126 bytes (5.5) [threat F9]', 'client', '89 7e 007e', 1002],
  ['a close of 126 bytes', 'client', '88 7e 007e', 1002],
  ['16 bits of length for 125 (5.2)', 'client', '82 7e 007d', 1002],
  ['64 bits of length for 65,535', 'client', '82 7f 000000000000ffff', 1002],
  ['64 bits of length with the highest set [threat F2]', 'client', '82 7f 8000000000000000', 1002],
  ['continuation of nothing (5.4)', 'client', '80 01 aa', 1002],
  ['a message inside another (5.4)', 'client', '02 01 aa 82 01 bb', 1002],
  ['a message over the limit [threat F1]', 'client', '82 7f 0000000000011171', 1009],
  ['more fragments than allowed [threat F6]', 'client', '02 00 00 00 00 00 00 00 80 00', 1008],
]

describe('what is refused', () => {
  test.each(bad)('%s', (_, role, bytes, code) => {
    everyWay(role, hex(bytes), (seen) => {
      expect(codeOf(seen)).toBe(code)
      expect(seen.events).toEqual([])
    })
  })

  test('fragments that are too much together: on the header, before their bytes', () => {
    const first = new Uint8Array(4 + 60_000)
    first.set([0x02, 0x7e, 60_000 >>> 8, 60_000 & 0xff])
    const seen = parse('client', [first, hex('80 7e 2af8')])
    expect(codeOf(seen)).toBe(1009)
  })

  test('a length that is only claimed costs nothing: the header alone is refused', () => {
    expect(codeOf(parse('client', [hex('82 7f 0000000040000000')]))).toBe(1009)
  })
})

test('while paused nothing is delivered, and nothing is lost', () => {
  const events: string[] = []
  const parser: Parser = new Parser(
    { role: 'client', maxMessage: 100, maxFragments: 4 },
    {
      onMessage: (buffer, start) => {
        events.push(`${buffer[start]}`)
        if (events.length === 1) parser.pause()
      },
      onControl: () => undefined,
    },
  )
  parser.push(Uint8Array.from(hex('82 01 01 82 01 02')))
  parser.push(Uint8Array.from(hex('82 01 03')))
  expect(events).toEqual(['1'])
  parser.resume()
  expect(events).toEqual(['1', '2', '3'])
})

describe('what is written', () => {
  test('control frames, masked and not', () => {
    expect(Buffer.from(controlFrame(9, hex('48656c6c6f'), undefined)).toString('hex')).toBe(
      '890548656c6c6f',
    )
    expect(Buffer.from(controlFrame(10, hex('48656c6c6f'), 0x37fa213d)).toString('hex')).toBe(
      '8a8537fa213d7f9f4d5158',
    )
  })

  test('a close with its code; one that may not be sent is left out (7.4.1)', () => {
    expect(Buffer.from(closeFrame(1002, undefined)).toString('hex')).toBe('880203ea')
    expect(Buffer.from(closeFrame(1006, undefined)).toString('hex')).toBe('8800')
  })
})
