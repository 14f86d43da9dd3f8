// A scan of untrusted msgpack that comes before any decoder: linear in the bytes, without recursion,
// without allocating for what they claim.
//   in  -> a byte range, limits
//   out -> what was counted, or CodecError
// msgpackr alone would follow record definitions (compiled with `new Function`), pointers and
// extensions of any kind, and read past lengths that lie. Nothing reaches it that is not plain.
// One rule needs the decoded value: equal keys in maps of more than 16 keys. See `Scan.wideMaps`.

import type { Limits } from '../base/limits.ts'
import { CodecError, type RefusedReason } from './codec.ts'

export type GuardLimits = Pick<Limits, 'maxDepth' | 'maxNodes' | 'maxKeys'>

/** What a scan has counted. One object for all scans: valid until the next one. */
export interface Scan {
  /** Containers, keys and values: what the value is charged by while it is held. */
  nodes: number
  /** Keys of all maps together. */
  keys: number
  /** True if there is binary: it must be copied out of the receive buffer. */
  binary: boolean
  /**
   * True if a map has so many keys that comparing each with each would not be linear. Then the
   * decoded objects must have `keys` keys together; fewer means that some were equal.
   */
  wideMaps: boolean
  /**
   * Where texts of more than 64 bytes start that begin with U+FEFF, which TextDecoder drops. Empty
   * as a rule.
   */
  readonly marks: number[]
}

const scan: Scan = { nodes: 0, keys: 0, binary: false, wideMaps: false, marks: [] }

/** Deepest nesting that `maxDepth` can allow: the size of the stacks below. */
export const deepest = 255
/** Keys up to which each is compared with each. */
const narrow = 16
/** Bytes of a text from which on it is worth looking at four at a time. */
const longText = 256

// One scan at a time: nothing in it calls out.
/** Entries that are still to come in the containers around the innermost; a map has two a key. */
const left = new Int32Array(deepest + 1)
const isMap = new Uint8Array(deepest + 1)
/** Of the open narrow maps: keys seen, and where each starts and ends. A wide map has seen -1. */
const seen = new Int32Array(deepest + 1)
/** A bit for each key seen, by a few of its bytes: two keys with different bits are different. */
const seenBits = new Int32Array(deepest + 1)
const keyStarts = new Int32Array((deepest + 1) * narrow)
const keyEnds = new Int32Array((deepest + 1) * narrow)

/** What a first byte says of what follows. */
const Kind = {
  scalar: 0,
  string: 1,
  binary: 2,
  array: 3,
  map: 4,
  extension: 5,
  refused: 6,
} as const

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
 * Throws CodecError unless `bytes[start, end)` is exactly one value that may be decoded: no deeper
 * than `maxDepth` (at most 255) containers, no more than `maxNodes` containers, keys and values, no
 * map of more than `maxKeys` keys, every length within the bytes, text in UTF-8, keys text and
 * different and not `__proto__`, and of extensions only timestamps that are a Date and `undefined`.
 */
export function checkMsgpack(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: GuardLimits,
): Readonly<Scan> {
  const { maxNodes, maxKeys } = limits
  const maxDepth = Math.min(limits.maxDepth, deepest)
  let at = start
  let nodes = 0
  let keys = 0
  let depth = 0
  scan.binary = scan.wideMaps = false
  if (scan.marks.length > 0) scan.marks.length = 0
  // The innermost open container: entries to come, and 1 if it is a map. The root is the one entry
  // of an array that is not there.
  let entries = 1
  let inMap = 0
  // One long function, for it is the hot loop: 250 ns for a message of 133 bytes and 24 nodes, of
  // which msgpackr takes 610 ns to decode. Apart, with calls and the state in arrays, 330 ns.
  while (true) {
    while (entries === 0) {
      if (depth === 0) {
        if (at !== end) throw refused('end', 'there are bytes after the value')
        scan.nodes = nodes
        scan.keys = keys
        return scan
      }
      depth -= 1
      entries = left[depth]!
      inMap = isMap[depth]!
    }
    entries -= 1
    nodes += 1
    if (nodes > maxNodes)
      throw refused('nodes', `more than limits.maxNodes (${maxNodes}) nodes`, 'maxNodes')
    if (at >= end) throw cutShort()
    const first = bytes[at]!
    at += 1
    // An even number of entries came before this one, so an odd number is left.
    const isKey = (entries & inMap) === 1
    let kind: number
    let size = 0
    if (first < 0x80 || first >= 0xe0) {
      if (isKey) throw keyIsNotText()
      continue
    }
    if (first >= 0xc0) {
      kind = kinds[first - 0xc0]!
      const width = widths[first - 0xc0]!
      if (at + width > end) throw cutShort()
      if (kind !== Kind.scalar)
        for (let next = at + width, i = at; i < next; i += 1) size = size * 256 + bytes[i]!
      at += width
    } else if (first >= 0xa0) {
      kind = Kind.string
      size = first & 0x1f
    } else {
      kind = first >= 0x90 ? Kind.array : Kind.map
      size = first & 0x0f
    }
    if (isKey && kind !== Kind.string) throw keyIsNotText()
    switch (kind) {
      case Kind.scalar:
        break
      case Kind.string:
        if (size > end - at) throw lies('text')
        if (!isShortAscii(bytes, at, size)) checkUtf8(bytes, at, at + size)
        if (isKey) {
          keys += 1
          checkKey(bytes, at, at + size, depth)
        }
        if (size > 64 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf)
          scan.marks.push(at)
        at += size
        break
      case Kind.binary:
        if (size > end - at) throw lies('binary')
        scan.binary = true
        at += size
        break
      case Kind.array:
      case Kind.map: {
        if (depth >= maxDepth)
          throw refused('depth', `deeper than limits.maxDepth (${maxDepth})`, 'maxDepth')
        left[depth] = entries
        isMap[depth] = inMap
        depth += 1
        inMap = kind === Kind.map ? 1 : 0
        entries = size << inMap
        // Every entry takes a byte at least; compared before, so that doubling cannot overflow.
        if (size > end - at || entries > end - at) throw lies('a container')
        if (inMap === 0) break
        if (size > maxKeys)
          throw refused('key', `more than limits.maxKeys (${maxKeys}) keys`, 'maxKeys')
        if (size > narrow) scan.wideMaps = true
        seen[depth] = size <= narrow ? 0 : -1
        seenBits[depth] = 0
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

/** Allowed are the three forms of a timestamp (type -1), and `d4 00 00`, msgpackr's `undefined`. */
function checkExtension(
  bytes: Uint8Array,
  at: number,
  end: number,
  first: number,
  claimed: number,
): number {
  const fixed = first >= 0xd4
  const size = fixed ? 2 ** (first - 0xd4) : claimed
  if (at + 1 + size > end) throw fixed ? cutShort() : lies('an extension')
  const type = bytes[at]!
  const body = at + 1
  let allowed = false
  if (type === 0) allowed = first === 0xd4 && bytes[body] === 0
  else if (type === 0xff)
    allowed =
      first === 0xd6 ||
      (first === 0xd7 && readU32(bytes, body) >>> 2 < 1e9) ||
      (first === 0xc7 && size === 12 && isDate(bytes, body))
  if (!allowed) throw refused('ext', 'an extension that is not allowed')
  return body + size
}

/** Nanoseconds and seconds (int64) that a Date can hold: 10^8 days around 1970. */
function isDate(bytes: Uint8Array, at: number): boolean {
  const nanoseconds = readU32(bytes, at)
  const seconds = (readU32(bytes, at + 4) | 0) * 2 ** 32 + readU32(bytes, at + 8)
  return nanoseconds < 1e9 && seconds >= -8.64e12 && seconds + Math.sign(nanoseconds) <= 8.64e12
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}

const proto = Uint8Array.from([0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f])

function checkKey(bytes: Uint8Array, start: number, end: number, depth: number): void {
  const size = end - start
  if (size === proto.length && equal(proto, 0, bytes, start, size))
    throw refused('proto', 'the key __proto__')
  const count = seen[depth]!
  if (count < 0) return
  const first = depth * narrow
  const bits = seenBits[depth]!
  const bit = 1 << (size === 0 ? 0 : (size * 5 + bytes[start]! + bytes[end - 1]! * 3) & 31)
  if ((bits & bit) !== 0)
    for (let index = first; index < first + count; index += 1) {
      const other = keyStarts[index]!
      if (keyEnds[index]! - other === size && equal(bytes, other, bytes, start, size))
        throw sameKey()
    }
  seenBits[depth] = bits | bit
  keyStarts[first + count] = start
  keyEnds[first + count] = end
  seen[depth] = count + 1
}

function equal(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  size: number,
): boolean {
  for (let index = 0; index < size; index += 1)
    if (a[aStart + index] !== b[bStart + index]) return false
  return true
}

/** Most texts are: they need no call of their own. */
function isShortAscii(bytes: Uint8Array, start: number, size: number): boolean {
  if (size >= longText) return false
  let all = 0
  for (let at = start, end = start + size; at < end; at += 1) all |= bytes[at]!
  return all < 0x80
}

/** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
function checkUtf8(bytes: Uint8Array, start: number, end: number): void {
  let at = end - start >= longText ? afterAscii(bytes, start, end) : start
  while (at < end) {
    const first = bytes[at]!
    if (first < 0x80) {
      at += 1
      continue
    }
    const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    if (first < 0xc2 || first > 0xf4 || at + size > end) throw notUtf8()
    const second = bytes[at + 1]!
    const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < least || second > most) throw notUtf8()
    for (let index = 2; index < size; index += 1)
      if ((bytes[at + index]! & 0xc0) !== 0x80) throw notUtf8()
    at += size
  }
}

/** A position up to which everything is ASCII, found in words of four bytes. */
function afterAscii(bytes: Uint8Array, start: number, end: number): number {
  const origin = bytes.byteOffset
  // Only words that lie within the text as a whole.
  const firstWord = (origin + start + 3) >>> 2
  const words = new Uint32Array(bytes.buffer, firstWord * 4, ((origin + end) >>> 2) - firstWord)
  for (let at = start; at < firstWord * 4 - origin; at += 1) if (bytes[at]! >= 0x80) return at
  let word = 0
  const last = words.length - 4
  while (
    word <= last &&
    ((words[word]! | words[word + 1]! | words[word + 2]! | words[word + 3]!) & 0x80808080) === 0
  )
    word += 4
  return (firstWord + word) * 4 - origin
}

/** The refusal of equal keys, for whoever counts them after decoding. */
export function sameKey(): CodecError {
  return refused('dup', 'a map has the same key twice')
}

function keyIsNotText(): CodecError {
  return refused('key', 'a key is not text')
}

function cutShort(): CodecError {
  return refused('end', 'the value is cut short')
}

function lies(what: string): CodecError {
  return refused('length', `${what} is longer than the bytes left`)
}

function notUtf8(): CodecError {
  return refused('utf8', 'text is not UTF-8')
}

function refused(reason: RefusedReason, message: string, limit?: keyof Limits): CodecError {
  return new CodecError(reason, message, '', limit)
}
