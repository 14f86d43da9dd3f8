// The parts that compact payloads are made of (docs/codec.md): varints, text, floats, raw bytes.
//   in  -> values, or a range of bytes
//   out -> bytes at the end of a sink; values, and in `run` where the next one begins
// Both ways of building a codec use these; what a value may be is up to them.
// Every length is compared with the bytes that are left before anything is allocated.

import type { Limits } from '../../base/limits.ts'
import type { RefusedReason } from '../codec.ts'
import type { ByteSink } from '../sink.ts'
import { decodeText } from '../text.ts'

/** Of the message being read or written. One at a time: writing saves what it interrupts. */
export const run: { at: number; left: number } = {
  /** Where the next value begins, after a read. */
  at: 0,
  /** Nodes that may still come. */
  left: 0,
}

/** Why a value or its bytes are refused; the path grows on the way out. Never holds the value. */
export class Refusal extends Error {
  readonly reason: RefusedReason
  /** The limit that was passed, where that is why. */
  readonly limit: keyof Limits | undefined
  private where: string

  constructor(reason: RefusedReason, message: string, path = '', limit?: keyof Limits) {
    super(message)
    this.reason = reason
    this.limit = limit
    this.where = path
  }

  below(key: string | number): void {
    this.where = `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}${this.where}`
  }

  /** JSON pointer (RFC 6901), at most 256 characters: a cycle is as deep as it can be. */
  get path(): string {
    return this.where.length <= 256 ? this.where : `${this.where.slice(0, 255)}…`
  }
}

export function refuse(reason: RefusedReason, message: string, limit?: keyof Limits): never {
  throw new Refusal(reason, message, '', limit)
}

function tooManyNodes(): never {
  return refuse('nodes', 'more than limits.maxNodes nodes', 'maxNodes')
}

export function tooManyKeys(maxKeys: number): never {
  return refuse('key', `more than limits.maxKeys (${maxKeys}) keys`, 'maxKeys')
}

export function cutShort(): never {
  return refuse('end', 'the value is cut short')
}

export function notCanonical(): never {
  return refuse('value', 'there is a shorter or another form for this value')
}

/** Counts so many nodes. */
export function spend(nodes: number): void {
  if ((run.left -= nodes) < 0) tooManyNodes()
}

// Reading

/** Unsigned, up to 2^53 - 1. */
export function readVarint(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    if (at >= end) cutShort()
    const byte = bytes[at]!
    at += 1
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (byte === 0 && scale > 1) notCanonical()
      break
    }
    if (scale === 2 ** 49) refuse('value', 'a number over 2^53 - 1')
  }
  // Eight groups make 56 bits: inexact from 2^53 on, but never too small.
  if (value > Number.MAX_SAFE_INTEGER) refuse('value', 'a number over 2^53 - 1')
  run.at = at
  return value
}

/** Signed, between `-most` and `most`, which is below 2^53. Needs 54 bits, hence two halves. */
export function readZigzag(bytes: Uint8Array, start: number, end: number, most: number): number {
  let low = 0
  let at = start
  for (let shift = 0; shift < 28; shift += 7) {
    if (at >= end) cutShort()
    const byte = bytes[at]!
    at += 1
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) notCanonical()
      run.at = at
      return checkedRange((low >>> 1) ^ -(low & 1), most)
    }
  }
  const high = readVarint(bytes, at, end)
  // What follows a continued byte is not nothing.
  if (high === 0) notCanonical()
  if (high >= 2 ** 26) refuse('value', 'an integer out of range')
  const half = high * 2 ** 27 + (low >>> 1)
  return checkedRange((low & 1) === 0 ? half : -half - 1, most)
}

function checkedRange(value: number, most: number): number {
  if (value > most || value < -most) refuse('value', 'an integer out of range')
  return value
}

const maxUint64 = 2n ** 64n - 1n
const minInt64 = -(2n ** 63n)

export function readBigint(bytes: Uint8Array, start: number, end: number): bigint {
  let at = start
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    if (at >= end) cutShort()
    if (shift === 70n) refuse('value', 'a bigint of more than 64 bits')
    const byte = bytes[at]!
    at += 1
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) {
      if (byte === 0 && shift > 0n) notCanonical()
      break
    }
  }
  run.at = at
  const read = (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n
  if (read > maxUint64 || read < minInt64) refuse('value', 'a bigint of more than 64 bits')
  return read
}

const eight = new Uint8Array(8)
const eightView = new DataView(eight.buffer)

export function readFloat(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 8) cutShort()
  for (let index = 0; index < 8; index += 1) eight[index] = bytes[start + index]!
  const value = eightView.getFloat64(0, true)
  if (!Number.isFinite(value)) refuse('value', 'must be number')
  if (value === 0 && eight[7] !== 0) notCanonical()
  run.at = start + 8
  return value
}

/** A length that is not over what is left, nor over `most`. */
export function readLength(bytes: Uint8Array, start: number, end: number, most: number): number {
  let size: number
  if (start < end && bytes[start]! < 0x80) {
    size = bytes[start]!
    run.at = start + 1
  } else size = readVarint(bytes, start, end)
  if (size > end - run.at) refuse('length', 'it is longer than the bytes left')
  if (size > most) refuse('length', `must be at most ${most} bytes`)
  return size
}

export function readText(bytes: Uint8Array, start: number, end: number): string {
  const size = readLength(bytes, start, end, Infinity)
  const from = run.at
  const text = decodeText(bytes, from, (run.at = from + size))
  if (text === undefined) refuse('utf8', 'text is not UTF-8')
  return text
}

/** In memory of its own. */
export function readBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  most: number,
): Uint8Array<ArrayBuffer> {
  const size = readLength(bytes, start, end, most)
  const from = run.at
  run.at = from + size
  // Not `slice`: that of a Buffer of Node is a view.
  return new Uint8Array(bytes.subarray(from, run.at))
}

/** Furthest moment from 1970 that a Date holds, in milliseconds. */
export const mostTime = 8.64e15

export function readTimestamp(bytes: Uint8Array, start: number, end: number): Date {
  return new Date(readZigzag(bytes, start, end, mostTime))
}

/**
 * How many entries follow: `most` by the schema; each takes `least` bytes and `nodes` nodes or more.
 * Nothing has been allocated for them yet.
 */
export function readCount(
  bytes: Uint8Array,
  start: number,
  end: number,
  most: number,
  least: number,
  nodes: number,
): number {
  const count = readVarint(bytes, start, end)
  if (count > most) refuse('length', `must not have more than ${most} items`)
  if (count * least > end - run.at) refuse('length', 'it has more items than the bytes left')
  if (count * nodes > run.left) tooManyNodes()
  return count
}

/** How many keys follow, with a value of so many bytes and nodes each. */
export function readKeyCount(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxKeys: number,
  value: { readonly bytes: number; readonly nodes: number },
): number {
  const count = readCount(bytes, start, end, Infinity, value.bytes + 1, value.nodes + 1)
  return count > maxKeys ? tooManyKeys(maxKeys) : count
}

// Writing

export function writeByte(out: ByteSink, byte: number): void {
  out.reserve(1)
  out.buffer[out.position++] = byte
}

/** Bytes that a varint of up to 53 bits, or a zigzag of 54, takes at most. */
export const widestVarint = 8

/** Room is there. Answers where the next byte goes. */
export function putVarint(buffer: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  for (; rest >= 2 ** 31; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80
  for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80
  buffer[at] = rest
  return at + 1
}

/** The same, signed. */
export function putZigzag(buffer: Uint8Array, start: number, value: number): number {
  if (value >= -(2 ** 30) && value < 2 ** 30)
    return putVarint(buffer, start, ((value << 1) ^ (value >> 31)) >>> 0)
  const half = value < 0 ? -value - 1 : value
  const low = (half % 2 ** 27) * 2 + (value < 0 ? 1 : 0)
  for (let index = 0; index < 4; index += 1)
    buffer[start + index] = ((low >>> (7 * index)) & 0x7f) | 0x80
  return putVarint(buffer, start + 4, Math.floor(half / 2 ** 27))
}

export function putFloat(buffer: Uint8Array, start: number, value: number): number {
  // Adding 0 makes 0 of -0.
  eightView.setFloat64(0, value + 0, true)
  for (let index = 0; index < 8; index += 1) buffer[start + index] = eight[index]!
  return start + 8
}

export function writeVarint(out: ByteSink, value: number): void {
  out.reserve(widestVarint)
  out.position = putVarint(out.buffer, out.position, value)
}

export function writeZigzag(out: ByteSink, value: number): void {
  out.reserve(widestVarint)
  out.position = putZigzag(out.buffer, out.position, value)
}

export function writeBigint(out: ByteSink, value: bigint): void {
  if (value > maxUint64 || value < minInt64) refuse('value', 'a bigint of more than 64 bits')
  out.reserve(10)
  let rest = value < 0n ? -value * 2n - 1n : value * 2n
  const { buffer } = out
  for (; rest >= 0x80n; rest >>= 7n) buffer[out.position++] = Number(rest & 0x7fn) | 0x80
  buffer[out.position++] = Number(rest)
}

/** From here on the platform is faster than a loop. */
const longText = 64

/** Writes text, and leaves room for `more` bytes behind it. */
export function writeText(out: ByteSink, text: string, more: number): void {
  const { length } = text
  if (length >= longText) return writeLongText(out, text, more)
  out.reserve(length + 1 + more)
  const { buffer, position } = out
  let at = position + 1
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit >= 0x80) return writeLongText(out, text, more)
    buffer[at++] = unit
  }
  buffer[position] = length
  out.position = at
}

interface Utf8Encoder {
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number }
}

/** Every runtime has it; core compiles without the types of any. */
const utf8 = new (globalThis as unknown as { TextEncoder: new () => Utf8Encoder }).TextEncoder()

function writeLongText(out: ByteSink, text: string, more: number): void {
  if (!isWellFormed(text)) refuse('utf8', 'text with a lone surrogate does not travel')
  const { length } = text
  // Room for ASCII; for other text only once it turns out to be that. The last byte stays free, for
  // the length of other text may need one more.
  const width = widthOf(length)
  out.reserve(widestVarint + length)
  let from = out.position + width
  let { read, written } = utf8.encodeInto(text, out.buffer.subarray(from, -1))
  if (read < length) {
    out.reserve(widestVarint + written + 3 * (length - read))
    from = out.position + width
    ;({ read, written } = utf8.encodeInto(text, out.buffer.subarray(from, -1)))
  }
  const needed = widthOf(written)
  if (needed > width) out.buffer.copyWithin(out.position + needed, from, from + written)
  out.position = putVarint(out.buffer, out.position, written) + written
  out.reserve(more)
}

/** Bytes of a varint. */
export function widthOf(value: number): number {
  let width = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) width += 1
  return width
}

export function isWellFormed(text: string): boolean {
  // ES2024; Node 20 has it, browsers since 2023.
  const { isWellFormed: native } = text as { isWellFormed?: () => boolean }
  return native === undefined ? !/\p{Surrogate}/u.test(text) : native.call(text)
}

export function writeBytes(out: ByteSink, value: Uint8Array): void {
  writeVarint(out, value.length)
  out.append(value)
}
