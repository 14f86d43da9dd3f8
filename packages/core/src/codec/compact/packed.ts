// What the schema does not describe, inside of a compact payload: its length, then guarded msgpack.
//   in  -> any value, or bytes
//   out -> bytes, or a value
// Depth and nodes count on from the message around it.

import { CodecError } from '../codec.ts'
import { checkMsgpack, type GuardLimits } from '../guard.ts'
import { readScanned } from '../msgpack-reader.ts'
import { writeMsgpack } from '../msgpack-writer.ts'
import type { ByteSink } from '../sink.ts'
import { putVarint, readLength, Refusal, run, spend, widthOf } from './wire.ts'

export function readPacked(
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
  limits: GuardLimits,
): unknown {
  const size = readLength(bytes, start, end, Infinity)
  const from = run.at
  run.at = from + size
  try {
    spend(checkMsgpack(bytes, from, run.at, within(limits, depth)).nodes)
    return readScanned(bytes, from)
  } catch (error) {
    throw refusalOf(error)
  }
}

export function writePacked(
  value: unknown,
  out: ByteSink,
  depth: number,
  limits: GuardLimits,
): void {
  out.reserve(1)
  // From the start of the frame, for the sink may move it.
  const before = out.position - out.start
  out.position += 1
  try {
    spend(writeMsgpack(value, out, within(limits, depth)))
  } catch (error) {
    throw refusalOf(error)
  }
  const size = out.position - out.start - before - 1
  const width = widthOf(size)
  out.reserve(width)
  const at = out.start + before
  if (width > 1) out.buffer.copyWithin(at + width, at + 1, at + 1 + size)
  out.position = putVarint(out.buffer, at, size) + size
}

/** What is left of the message's limits. */
function within({ maxDepth, maxKeys }: GuardLimits, depth: number): GuardLimits {
  return { maxDepth: Math.max(0, maxDepth - depth), maxNodes: run.left, maxKeys }
}

/** Without the path, which is ours to say. What a getter throws stays as it is. */
function refusalOf(error: unknown): unknown {
  return error instanceof CodecError
    ? new Refusal(error.reason, error.message, error.path, error.limit)
    : error
}
