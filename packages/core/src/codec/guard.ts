// A scan of untrusted msgpack that comes before any decoder: linear in the bytes, without recursion,
// without allocating for what they claim.
//   in  -> a byte range, limits
//   out -> the number of nodes, or CodecError
// msgpackr alone would follow record definitions (compiled with `new Function`), pointers and
// extensions of any kind, and read past lengths that lie. Nothing reaches it that is not plain.

import type { Limits } from '../base/limits.ts'
import { CodecError, type RefusedReason } from './codec.ts'

export type GuardLimits = Pick<Limits, 'maxDepth' | 'maxNodes' | 'maxKeys'>

/** Deepest nesting that any limit may allow: the size of the stacks below. */
const deepest = 256

// One scan at a time, and no scan calls another.
const left = new Int32Array(deepest)
const isMap = new Uint8Array(deepest)

/** What a first byte says: size of what follows, and which kind it is. */
const Kind = { scalar: 0, string: 1, binary: 2, array: 3, map: 4, extension: 5, refused: 6 } as const

/** Kind of each first byte from 0xc0 to 0xdf. */
const kinds = Uint8Array.from([
  // nil, never used, false, true
  0, 6, 0, 0,
  // bin 8, 16, 32; ext 8, 16, 32
  2, 2, 2, 5, 5, 5,
  // float 32, 64; uint 8 to 64; int 8 to 64
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  // fixext 1 to 16
  5, 5, 5, 5, 5,
  // str 8, 16, 32; array 16, 32; map 16, 32
  1, 1, 1, 3, 3, 4, 4,
])

/** Bytes of the number or the length behind that first byte. */
const widths = Uint8Array.from([
  0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
])

/**
 * Throws CodecError unless `bytes[start, end)` is exactly one value that may be decoded. Answers how
 * many nodes it has: containers, keys and values.
 */
export function checkMsgpack(bytes: Uint8Array, start: number, end: number, limits: GuardLimits): number {
  const maxDepth = Math.min(limits.maxDepth, deepest - 1)
  let at = start
  let nodes = 0
  let depth = 0
  // The root is the one entry of an array that is not there.
  left[0] = 1
  isMap[0] = 0
  while (true) {
    while (left[depth] === 0) {
      if (depth === 0) {
        if (at !== end) throw refused('end', 'bytes after the value')
        return nodes
      }
      depth -= 1
    }
    left[depth]! -= 1
    nodes += 1
    if (nodes > limits.maxNodes) throw refused('nodes', `more than maxNodes (${limits.maxNodes}) nodes`)
    if (at >= end) throw refused('end', 'the value is cut short')
    const first = bytes[at]!
    at += 1
    // Entries of a map are counted twice: an even number left means that this was a key.
    const isKey = isMap[depth] === 1 && (left[depth]! & 1) === 1
    let kind: number
    let size = 0
    if (first < 0x80 || first >= 0xe0) kind = Kind.scalar
    else if (first >= 0xc0) {
      kind = kinds[first - 0xc0]!
      const width = widths[first - 0xc0]!
      if (at + width > end) throw refused('length', 'the value is cut short')
      if (kind === Kind.scalar) at += width
      else {
        size = readLength(bytes, at, width)
        at += width
      }
    } else if (first >= 0xa0) {
      kind = Kind.string
      size = first & 0x1f
    } else {
      kind = first >= 0x90 ? Kind.array : Kind.map
      size = first & 0x0f
    }
    if (isKey && kind !== Kind.string) throw refused('key', 'a key is not text')
    switch (kind) {
      case Kind.scalar:
        break
      case Kind.string:
        if (size > end - at) throw refused('length', 'text is cut short')
        checkUtf8(bytes, at, at + size)
        if (isKey && size === 9 && isProto(bytes, at)) throw refused('proto', 'the key __proto__')
        at += size
        break
      case Kind.binary:
        if (size > end - at) throw refused('length', 'binary is cut short')
        at += size
        break
      case Kind.array:
      case Kind.map: {
        const entries = kind === Kind.map ? size * 2 : size
        // Every entry takes a byte at least.
        if (entries > end - at) throw refused('length', 'a container is longer than its bytes')
        if (kind === Kind.map && size > limits.maxKeys)
          throw refused('key', `more than maxKeys (${limits.maxKeys}) keys`)
        depth += 1
        if (depth > maxDepth) throw refused('depth', `deeper than maxDepth (${maxDepth})`)
        left[depth] = entries
        isMap[depth] = kind === Kind.map ? 1 : 0
        break
      }
      case Kind.extension:
        at = checkExtension(bytes, at, end, first, size)
        break
      default:
        throw refused('ext', 'a byte that msgpack does not use')
    }
  }
}

function readLength(bytes: Uint8Array, at: number, width: number): number {
  let length = 0
  for (let index = 0; index < width; index += 1) length = length * 256 + bytes[at + index]!
  return length
}

/** Allowed: a timestamp (type -1), and msgpackr's `undefined` (type 0, one byte 0). */
function checkExtension(bytes: Uint8Array, at: number, end: number, first: number, length: number): number {
  const size = first >= 0xd4 ? 2 ** (first - 0xd4) : length
  if (at + 1 + size > end) throw refused('length', 'an extension is cut short')
  const type = bytes[at]!
  const allowed =
    type === 0xff ? size === 4 || size === 8 || size === 12 : type === 0 && size === 1 && bytes[at + 1] === 0
  if (!allowed) throw refused('ext', 'an extension that is not allowed')
  return at + 1 + size
}

const proto = Uint8Array.from([0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f])

function isProto(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < proto.length; index += 1)
    if (bytes[at + index] !== proto[index]) return false
  return true
}

/** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
function checkUtf8(bytes: Uint8Array, start: number, end: number): void {
  let at = start
  while (at < end) {
    const first = bytes[at]!
    if (first < 0x80) {
      at += 1
      continue
    }
    const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    if (first < 0xc2 || first > 0xf4 || at + size > end) throw refused('utf8', 'text is not UTF-8')
    const second = bytes[at + 1]!
    const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < least || second > most) throw refused('utf8', 'text is not UTF-8')
    for (let index = 2; index < size; index += 1)
      if ((bytes[at + index]! & 0xc0) !== 0x80) throw refused('utf8', 'text is not UTF-8')
    at += size
  }
}

function refused(reason: RefusedReason, message: string): CodecError {
  return new CodecError(reason, message)
}
