// Writes msgpack, in one pass that also refuses what cannot travel.
//   in  -> a value of the user's
//   out -> its bytes at the end of a sink, in the very form that msgpackr gives them; or CodecError
// Not msgpackr's own `pack`: that sends stale memory of the process for some typed arrays, asks the
// user's `toJSON`, follows extensions that any other user of it in the process registers, and packs
// into one buffer of the process that grows to four times the largest message and stays there.
// Here the bytes go straight into the frame.

import { CodecError, type RefusedReason } from './codec.ts'
import { deepest, type GuardLimits } from './guard.ts'
import type { ByteSink } from './sink.ts'

const maxUint64 = 2n ** 64n - 1n
const maxInt64 = 2n ** 63n - 1n
const minInt64 = -(2n ** 63n)

// Of the value being written; saved and given back, because a getter of the user's may encode too.
let nodesLeft = 0
let maxDepth = 0

/**
 * Appends `value` to `out`. Throws CodecError with the path (JSON pointer, RFC 6901) of what cannot
 * travel: functions, symbols, objects with an inner life (Map, Set, RegExp, Error, Promise, typed
 * arrays other than Uint8Array ...), invalid Dates, bigints of more than 64 bits, text with lone
 * surrogates, an own key `__proto__`, more than `maxDepth` or `maxNodes`. What a getter of the value
 * throws comes out as it is. `out` is then left with a part of the value. Answers the nodes written.
 */
export function writeMsgpack(value: unknown, out: ByteSink, limits: GuardLimits): number {
  const outerNodes = nodesLeft
  const outerDepth = maxDepth
  nodesLeft = limits.maxNodes
  maxDepth = Math.min(limits.maxDepth, deepest)
  try {
    writeValue(value, out, 0)
    return limits.maxNodes - nodesLeft
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new CodecError(error.reason, error.message, error.path())
  } finally {
    nodesLeft = outerNodes
    maxDepth = outerDepth
  }
}

/** Thrown where a value cannot travel; the path grows on the way out. */
class Refusal extends Error {
  readonly reason: RefusedReason
  private readonly keys: (string | number)[] = []

  constructor(message: string, reason: RefusedReason = 'value') {
    super(message)
    this.reason = reason
  }

  below(key: string | number): void {
    this.keys.push(key)
  }

  /** At most 256 characters: a cycle is as deep as it can be. */
  path(): string {
    const escaped = this.keys
      .toReversed()
      .map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join('')
    return escaped.length <= 256 ? escaped : `${escaped.slice(0, 255)}…`
  }
}

function writeValue(value: unknown, out: ByteSink, depth: number): void {
  nodesLeft -= 1
  if (nodesLeft < 0) throw new Refusal('the value has more than maxNodes nodes', 'nodes')
  switch (typeof value) {
    case 'string':
      return writeText(value, out)
    case 'number':
      return writeNumber(value, out)
    case 'boolean':
      return writeByte(value ? 0xc3 : 0xc2, out)
    case 'object':
      return value === null ? writeByte(0xc0, out) : writeObject(value, out, depth)
    case 'undefined':
      // In an array, or alone; a property that is undefined is left out.
      return writeHead(0xd4, 0, 2, out)
    case 'bigint':
      return writeBigint(value, out)
    default:
      throw new Refusal(`a ${typeof value} does not travel`)
  }
}

function writeObject(value: object, out: ByteSink, depth: number): void {
  if (Array.isArray(value)) return writeArray(value, out, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Uint8Array) return writeBinary(value, out)
    if (value instanceof Date) return writeDate(value, out)
    const kind = Object.prototype.toString.call(value).slice(8, -1)
    if (kind !== 'Object') throw new Refusal(`a value of class ${kind} does not travel`)
    // What its author wants to be sent is not what its fields say.
    if ('toJSON' in value) throw new Refusal('an object of a class with toJSON does not travel')
  }
  // Own keys are read by name below: to the compiler this is any object.
  writeMap(value as Readonly<Record<string, unknown>>, out, depth)
}

function writeArray(value: readonly unknown[], out: ByteSink, depth: number): void {
  const { length } = value
  enter(depth)
  if (length < 0x10) writeByte(0x90 | length, out)
  else if (length < 0x10000) writeHead(0xdc, length, 2, out)
  else writeHead(0xdd, length, 4, out)
  let index = 0
  try {
    for (; index < length; index += 1) writeValue(value[index], out, depth + 1)
  } catch (error) {
    if (error instanceof Refusal) error.below(index)
    throw error
  }
}

function writeMap(value: Readonly<Record<string, unknown>>, out: ByteSink, depth: number): void {
  enter(depth)
  const keys = Object.keys(value)
  const { length } = keys
  // Counted from the end of what is written: the sink may move it meanwhile.
  const before = out.position - out.start
  const width = length < 0x10 ? 0 : length < 0x10000 ? 2 : 4
  if (width === 0) writeByte(0x80 | length, out)
  else writeHead(width === 2 ? 0xde : 0xdf, length, width, out)
  let written = 0
  let key = ''
  try {
    for (let index = 0; index < length; index += 1) {
      key = keys[index]!
      const entry = value[key]
      if (entry === undefined) continue
      if (key === '__proto__') throw new Refusal('the key __proto__ does not travel', 'proto')
      nodesLeft -= 1
      writeText(key, out)
      writeValue(entry, out, depth + 1)
      written += 1
    }
  } catch (error) {
    if (error instanceof Refusal) error.below(key)
    throw error
  }
  if (written === length) return
  const at = out.start + before
  if (width === 0) out.buffer[at] = 0x80 | written
  else setBigEndian(out.buffer, at + 1, written, width)
}

function enter(depth: number): void {
  if (depth >= maxDepth)
    throw new Refusal(`deeper than maxDepth (${maxDepth}) containers, or a cycle`, 'depth')
}

function writeNumber(value: number, out: ByteSink): void {
  // Also -0, which becomes 0.
  if (value >>> 0 === value) {
    if (value < 0x80) writeByte(value, out)
    else if (value < 0x100) writeHead(0xcc, value, 1, out)
    else if (value < 0x10000) writeHead(0xcd, value, 2, out)
    else writeHead(0xce, value, 4, out)
  } else if (value >> 0 === value) {
    if (value >= -0x20) writeByte(0x100 + value, out)
    else if (value >= -0x80) writeHead(0xd0, value, 1, out)
    else if (value >= -0x8000) writeHead(0xd1, value, 2, out)
    else writeHead(0xd2, value, 4, out)
  } else {
    eightView.setFloat64(0, value)
    writeEight(0xcb, out)
  }
}

function writeBigint(value: bigint, out: ByteSink): void {
  if (value > maxUint64 || value < minInt64)
    throw new Refusal('a bigint of more than 64 bits does not travel')
  eightView.setBigInt64(0, value)
  writeEight(value > maxInt64 ? 0xcf : 0xd3, out)
}

/** Timestamps of the msgpack specification: 32 bits where they do, 96 where 64 bits do not. */
function writeDate(value: Date, out: ByteSink): void {
  const time = value.getTime()
  if (Number.isNaN(time)) throw new Refusal('an invalid Date does not travel')
  const seconds = Math.floor(time / 1_000)
  const nanoseconds = (time - seconds * 1_000) * 1e6
  const inU32 = seconds >= 0 && seconds < 2 ** 32
  out.reserve(15)
  const { buffer, position } = out
  if (inU32 && nanoseconds === 0) {
    setBigEndian(buffer, position, 0xd6ff, 2)
    setBigEndian(buffer, position + 2, seconds, 4)
    out.position = position + 6
  } else if (inU32) {
    setBigEndian(buffer, position, 0xd7ff, 2)
    setBigEndian(buffer, position + 2, nanoseconds * 4, 4)
    setBigEndian(buffer, position + 6, seconds, 4)
    out.position = position + 10
  } else {
    setBigEndian(buffer, position, 0xc70c, 2)
    buffer[position + 2] = 0xff
    setBigEndian(buffer, position + 3, nanoseconds, 4)
    setBigEndian(buffer, position + 7, Math.floor(seconds / 2 ** 32), 4)
    setBigEndian(buffer, position + 11, seconds % 2 ** 32, 4)
    out.position = position + 15
  }
}

function writeBinary(value: Uint8Array, out: ByteSink): void {
  const { length } = value
  if (length < 0x100) writeHead(0xc4, length, 1, out)
  else if (length < 0x10000) writeHead(0xc5, length, 2, out)
  else writeHead(0xc6, length, 4, out)
  out.append(value)
}

/** From here on the platform is faster than a loop. */
const longText = 64

function writeText(text: string, out: ByteSink): void {
  const { length } = text
  if (length >= longText) return writeLongText(text, out)
  out.reserve(2 + 3 * length)
  const { buffer, position } = out
  const width = length < 0x20 ? 1 : 2
  let at = position + width
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) buffer[at++] = unit
    else if (unit < 0x800) {
      buffer[at++] = (unit >> 6) | 0xc0
      buffer[at++] = (unit & 0x3f) | 0x80
    } else if (unit < 0xd800 || unit > 0xdfff) {
      buffer[at++] = (unit >> 12) | 0xe0
      buffer[at++] = ((unit >> 6) & 0x3f) | 0x80
      buffer[at++] = (unit & 0x3f) | 0x80
    } else {
      index += 1
      const low = index < length ? text.charCodeAt(index) : 0
      if (unit > 0xdbff || (low & 0xfc00) !== 0xdc00) throw loneSurrogate()
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff)
      buffer[at++] = (point >> 18) | 0xf0
      buffer[at++] = ((point >> 12) & 0x3f) | 0x80
      buffer[at++] = ((point >> 6) & 0x3f) | 0x80
      buffer[at++] = (point & 0x3f) | 0x80
    }
  }
  const size = at - position - width
  if (size < 0x20) buffer[position] = 0xa0 | size
  else {
    if (width === 1) {
      // Fewer than 32 characters made 32 bytes or more.
      buffer.copyWithin(position + 2, position + 1, at)
      at += 1
    }
    buffer[position] = 0xd9
    buffer[position + 1] = size
  }
  out.position = at
}

interface Utf8Encoder {
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number }
}

/** Every runtime has it; core compiles without the types of any. */
const utf8 = new (globalThis as unknown as { TextEncoder: new () => Utf8Encoder }).TextEncoder()

function writeLongText(text: string, out: ByteSink): void {
  if (!isWellFormed(text)) throw loneSurrogate()
  const { length } = text
  // Room for ASCII; for other text only once it turns out to be that. Two bytes always stay free, for
  // the header may turn out longer than that of ASCII.
  const width = length < 0x100 ? 2 : length < 0x10000 ? 3 : 5
  out.reserve(7 + length)
  let from = out.position + width
  let { read, written } = utf8.encodeInto(text, out.buffer.subarray(from, -2))
  if (read < length) {
    out.reserve(7 + written + 3 * (length - read))
    from = out.position + width
    ;({ read, written } = utf8.encodeInto(text, out.buffer.subarray(from, -2)))
  }
  const needed = written < 0x100 ? 2 : written < 0x10000 ? 3 : 5
  if (needed > width) out.buffer.copyWithin(out.position + needed, from, from + written)
  writeTextHead(written, out)
  out.position += written
}

/** Of 64 bytes or more. */
function writeTextHead(size: number, out: ByteSink): void {
  if (size < 0x100) writeHead(0xd9, size, 1, out)
  else if (size < 0x10000) writeHead(0xda, size, 2, out)
  else writeHead(0xdb, size, 4, out)
}

function loneSurrogate(): Refusal {
  return new Refusal('text with a lone surrogate does not travel', 'utf8')
}

function isWellFormed(text: string): boolean {
  // ES2024; Node 20 has it, browsers since 2023.
  const { isWellFormed: native } = text as { isWellFormed?: () => boolean }
  return native === undefined ? !/\p{Surrogate}/u.test(text) : native.call(text)
}

function writeByte(byte: number, out: ByteSink): void {
  out.reserve(1)
  out.buffer[out.position++] = byte
}

/** One byte, then a number in `width` bytes. */
function writeHead(first: number, value: number, width: number, out: ByteSink): void {
  out.reserve(1 + width)
  const { buffer, position } = out
  buffer[position] = first
  setBigEndian(buffer, position + 1, value, width)
  out.position = position + 1 + width
}

function setBigEndian(buffer: Uint8Array, at: number, value: number, width: number): void {
  for (let index = width - 1, shift = 0; index >= 0; index -= 1, shift += 8)
    buffer[at + index] = value >>> shift
}

const eight = new Uint8Array(8)
const eightView = new DataView(eight.buffer)

/** One byte, then the eight of `eightView`. */
function writeEight(first: number, out: ByteSink): void {
  out.reserve(9)
  const { buffer, position } = out
  buffer[position] = first
  for (let index = 0; index < 8; index += 1) buffer[position + 1 + index] = eight[index]!
  out.position = position + 9
}
