import { describe, expect, test } from 'vitest'
import { ConnectionError } from '../base/errors.ts'
import { PrefixParser } from './prefix.ts'

const maxFrame = 66_560

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A parser and the frames that came out of it, in hex. */
function parserWithFrames(limit = maxFrame): { parser: PrefixParser; frames: string[] } {
  const frames: string[] = []
  const parser = new PrefixParser(limit, (buffer, start, end) => {
    frames.push(toHex(buffer.subarray(start, end)))
  })
  return { parser, frames }
}

function prefixed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + frame.length)
  new DataView(bytes.buffer).setUint32(0, frame.length)
  bytes.set(frame, 4)
  return bytes
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

const ping = hex('03 00 00000000 0102030405060708 00000000')
const request = hex('10 02 00000001 0007 c0')
const shortest = hex('12 00 00000001')
const three = joined(prefixed(ping), prefixed(request), prefixed(shortest))
const threeFrames = [ping, request, shortest].map(toHex)

describe('cutting', () => {
  test('a frame inside one chunk is a range of that chunk, without a copy', () => {
    let seen: { buffer: Uint8Array; start: number; end: number } | undefined
    const parser = new PrefixParser(maxFrame, (buffer, start, end) => {
      seen = { buffer, start, end }
    })
    const chunk = hex('00000006 120000000001')
    parser.push(chunk)
    expect(seen?.buffer).toBe(chunk)
    expect([seen?.start, seen?.end]).toEqual([4, 10])
    expect(parser.pending).toBe(false)
  })

  test('three frames, cut at every pair of positions, are the same three frames [case C4]', () => {
    for (let first = 0; first <= three.length; first += 1) {
      for (let second = first; second <= three.length; second += 1) {
        const { parser, frames } = parserWithFrames()
        parser.push(three.slice(0, first))
        parser.push(three.slice(first, second))
        parser.push(three.slice(second))
        expect(frames, `cut at ${first} and ${second}`).toEqual(threeFrames)
      }
    }
  })

  test('one byte per chunk [case C2]', () => {
    const { parser, frames } = parserWithFrames()
    for (const byte of three) parser.push(Uint8Array.of(byte))
    expect(frames).toEqual(threeFrames)
    expect(parser.pending).toBe(false)
  })

  test('1,000 frames in one chunk are 1,000 frames in order [case C3]', () => {
    const { parser, frames } = parserWithFrames()
    const all = Array.from({ length: 1_000 }, (_, at) =>
      hex(`11 00 ${at.toString(16).padStart(8, '0')} aa`),
    )
    parser.push(joined(...all.map(prefixed)))
    expect(frames).toEqual(all.map(toHex))
  })

  test('a frame of maxFrame in chunks of odd sizes arrives whole', () => {
    const frame = Uint8Array.from({ length: maxFrame }, (_, at) => (at * 31) & 0xff)
    const bytes = joined(prefixed(frame), prefixed(shortest))
    for (const size of [1, 3, 1_459, 16_384, 65_537]) {
      const { parser, frames } = parserWithFrames()
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.slice(at, at + size))
      expect(frames).toEqual([toHex(frame), toHex(shortest)])
    }
  })

  test('a chunk may be changed once push has returned', () => {
    const { parser, frames } = parserWithFrames()
    const chunk = hex('00000006 1200')
    parser.push(chunk)
    chunk.fill(0xff)
    parser.push(hex('00000001'))
    expect(frames).toEqual([toHex(shortest)])
  })

  test('pending from the first byte of a prefix to the last byte of its frame', () => {
    const { parser } = parserWithFrames()
    const bytes = prefixed(shortest)
    for (let at = 0; at < bytes.length; at += 1) {
      parser.push(bytes.slice(at, at + 1))
      expect(parser.pending, `after byte ${at + 1}`).toBe(at + 1 < bytes.length)
    }
  })
})

describe('lengths that cannot be', () => {
  test.each([0, 1, 2, 3, 4, 5])(
    'length %i is shorter than a header [case C5] [threat F3]',
    (length) => {
      for (let cut = 0; cut <= 4; cut += 1) {
        const { parser, frames } = parserWithFrames()
        const bytes = joined(hex(`000000 0${length}`), new Uint8Array(length))
        const push = (): void => {
          parser.push(bytes.slice(0, cut))
          parser.push(bytes.slice(cut))
        }
        expect(push).toThrow(new ConnectionError('protocol', 'frame shorter than its header'))
        expect(frames).toEqual([])
      }
    },
  )

  test('length 66,560 is accepted, 66,561 refused on its four bytes [case C6] [threat F1]', () => {
    const { parser } = parserWithFrames()
    parser.push(hex('00 01 04 00'))
    expect(parser.pending).toBe(true)
    const over = new ConnectionError('protocol', 'frame over limits.maxFrame (66560)', 'maxFrame')
    expect(() => parserWithFrames().parser.push(hex('00 01 04 01'))).toThrow(over)
  })

  test.each([
    ['GET / HTTP/1.1', '47 45 54 20'],
    ['a TLS client hello', '16 03 01 02'],
    ['an SSH banner', '53 53 48 2d'],
    ['2^32 - 1', 'ff ff ff ff'],
  ])('%s is refused at byte 4 [case C11]', (_, bytes) => {
    const { parser } = parserWithFrames()
    for (const byte of hex(bytes).slice(0, 3)) parser.push(Uint8Array.of(byte))
    expect(() => parser.push(hex(bytes).slice(3))).toThrow('frame over limits.maxFrame')
  })

  test('a frame that was announced costs what has come of it, not what was announced [case C6]', () => {
    globalThis.gc!()
    const before = process.memoryUsage().arrayBuffers
    const parsers = Array.from({ length: 500 }, () => parserWithFrames().parser)
    for (const parser of parsers) parser.push(hex('00 01 04 00 03'))
    globalThis.gc!()
    // 500 x maxFrame would be 33 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 1024 * 1024)
    expect(parsers.every(({ pending }) => pending)).toBe(true)
  })
})

describe('pause', () => {
  test('pause inside onFrame keeps the rest of the chunk and later chunks, in order, for every cut', () => {
    for (let cut = 0; cut <= three.length; cut += 1) {
      const frames: string[] = []
      const parser = new PrefixParser(maxFrame, (buffer, start, end) => {
        frames.push(toHex(buffer.subarray(start, end)))
        parser.pause()
      })
      parser.push(three.slice(0, cut))
      parser.push(three.slice(cut))
      for (let count = 1; count <= 3; count += 1) {
        expect(frames, `cut at ${cut}`).toEqual(threeFrames.slice(0, count))
        parser.resume()
      }
      expect(frames).toEqual(threeFrames)
    }
  })

  test('resume inside the same onFrame goes on at once', () => {
    const frames: string[] = []
    const parser = new PrefixParser(maxFrame, (buffer, start, end) => {
      frames.push(toHex(buffer.subarray(start, end)))
      parser.pause()
      parser.resume()
    })
    parser.push(three)
    expect(frames).toEqual(threeFrames)
  })

  test('while paused nothing is judged', () => {
    const { parser, frames } = parserWithFrames()
    parser.pause()
    parser.push(hex('ffffffff'))
    expect(frames).toEqual([])
    expect(() => parser.resume()).toThrow('frame over limits.maxFrame')
  })

  test('a throw of onFrame reaches whoever pushed', () => {
    const parser = new PrefixParser(maxFrame, () => {
      throw new Error('from the owner')
    })
    expect(() => parser.push(three)).toThrow('from the owner')
  })
})
