// Readers and writers of the values that are no containers, with the checks of their kinds.
//   in  -> a plan; a value, or bytes
//   out -> bytes, or a value

import { CodecError } from '../codec.ts'
import type { ByteSink } from '../sink.ts'
import type { Constant, Plan } from './plan.ts'
import {
  cutShort,
  mostTime,
  notCanonical,
  putFloat,
  readBigint,
  readBytes,
  readFloat,
  readText,
  readTimestamp,
  readVarint,
  readZigzag,
  refuse,
  run,
  writeBigint,
  writeByte,
  writeBytes,
  writeText,
  writeVarint,
  writeZigzag,
} from './wire.ts'

/** Reads a value that begins at `at`; `run.at` is where it ends. */
export type Reader = (bytes: Uint8Array, at: number, end: number, depth: number) => unknown
/** Appends a value. */
export type Writer = (value: unknown, out: ByteSink, depth: number) => void

export interface Closures {
  readonly read: Reader
  readonly write: Writer
}

/** Reader and writer of what is no container. They count nothing. */
export function scalarOf(plan: Plan): Closures {
  switch (plan.kind) {
    case 'string':
      return { read: readText, write: writeString }
    case 'integer':
      return plan.unsigned
        ? { read: readVarint, write: writeUnsigned }
        : { read: readInteger, write: writeInteger }
    case 'number':
      return { read: readFloat, write: writeNumber }
    case 'bigint':
      return { read: readBigint, write: writeAnyBigint }
    case 'boolean':
      return { read: readBoolean, write: writeBoolean }
    case 'timestamp':
      return { read: readTimestamp, write: writeTimestamp }
    case 'bytes': {
      const { maxLength } = plan
      return {
        read: (bytes, at, end) => readBytes(bytes, at, end, maxLength),
        write: (value, out) => writeBinary(value, out, maxLength),
      }
    }
    case 'constant':
      return constant(plan.value)
    case 'enum':
      return enumeration(plan.values)
    default:
      throw new CodecError('value', 'not a scalar')
  }
}

function constant(expected: Constant): Closures {
  return {
    read: (_, at) => {
      run.at = at
      return expected
    },
    write: (value) => {
      if (value !== expected) refuse('value', 'must be the constant')
    },
  }
}

function enumeration(values: readonly Constant[]): Closures {
  const first = indexesOf(values)
  return {
    read: (bytes, at, end) => readListed(bytes, at, end, values, first),
    write: (value, out) => writeVarint(out, listedIndex(value, first)),
  }
}

/** Where each constant stands first. */
export function indexesOf(values: readonly Constant[]): ReadonlyMap<unknown, number> {
  const first = new Map<unknown, number>()
  for (const [index, value] of values.entries()) if (!first.has(value)) first.set(value, index)
  return first
}

export function readListed(
  bytes: Uint8Array,
  at: number,
  end: number,
  values: readonly Constant[],
  first: ReadonlyMap<unknown, number>,
): Constant {
  const index = readVarint(bytes, at, end)
  const value = values[index]
  if (index >= values.length) refuse('value', 'must be one of the constants')
  if (first.get(value) !== index) notCanonical()
  return value
}

export function listedIndex(value: unknown, first: ReadonlyMap<unknown, number>): number {
  return first.get(value) ?? refuse('value', 'must be one of the constants')
}

function readInteger(bytes: Uint8Array, at: number, end: number): number {
  return readZigzag(bytes, at, end, Number.MAX_SAFE_INTEGER)
}

export function readBoolean(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end) cutShort()
  if (bytes[at]! > 1) refuse('value', 'must be boolean')
  run.at = at + 1
  return bytes[at] === 1
}

function writeString(value: unknown, out: ByteSink): void {
  if (typeof value !== 'string') return refuse('value', 'must be string')
  writeText(out, value, 0)
}

function writeUnsigned(value: unknown, out: ByteSink): void {
  if (!isInteger(value)) return refuse('value', 'must be integer')
  if (value < 0) refuse('value', 'must be >= 0')
  writeVarint(out, value)
}

function writeInteger(value: unknown, out: ByteSink): void {
  if (!isInteger(value)) return refuse('value', 'must be integer')
  writeZigzag(out, value)
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function writeNumber(value: unknown, out: ByteSink): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) return refuse('value', 'must be number')
  out.reserve(8)
  out.position = putFloat(out.buffer, out.position, value)
}

function writeAnyBigint(value: unknown, out: ByteSink): void {
  if (typeof value !== 'bigint') return refuse('value', 'must be bigint')
  writeBigint(out, value)
}

function writeBoolean(value: unknown, out: ByteSink): void {
  if (typeof value !== 'boolean') return refuse('value', 'must be boolean')
  writeByte(out, value ? 1 : 0)
}

function writeTimestamp(value: unknown, out: ByteSink): void {
  const time = value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isNaN(time) || Math.abs(time) > mostTime) refuse('value', 'must be a valid Date')
  writeZigzag(out, time)
}

export function writeBinary(value: unknown, out: ByteSink, maxLength: number): void {
  if (!(value instanceof Uint8Array)) return refuse('value', 'must be Uint8Array')
  if (value.length > maxLength) refuse('length', `must be at most ${maxLength} bytes`)
  writeBytes(out, value)
}
