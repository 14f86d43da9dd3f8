// BATCH: several frames in one WebSocket message, for browsers, where a message costs more than a frame.
//   in  -> frames; the payload of a BATCH
//   out -> one BATCH frame; the frames that are in it
// Each frame has the u32 prefix that TCP gives it. No nesting. Each frame counts in every limit.

import { protocolError } from '../base/errors.ts'
import { FrameType, headerBytes, readU32, writeHeader, writeU32 } from './frame.ts'

const prefixBytes = 4

/** A frame of somebody's buffer. */
export interface FrameRange {
  readonly buffer: Uint8Array
  readonly start: number
  readonly end: number
}

/** Bytes that a frame takes in a BATCH. */
export function batchedBytes({ start, end }: FrameRange): number {
  return prefixBytes + end - start
}

/** Copies frames into one BATCH frame, owned by the caller. Their sum is up to the caller. */
export function writeBatch(frames: readonly FrameRange[]): Uint8Array<ArrayBuffer> {
  const bytes = frames.reduce((sum, frame) => sum + batchedBytes(frame), headerBytes)
  const batch = new Uint8Array(bytes)
  writeHeader(batch, 0, FrameType.Batch, 0, 0)
  let at = headerBytes
  for (const { buffer, start, end } of frames) {
    writeU32(batch, at, end - start)
    batch.set(buffer.subarray(start, end), at + prefixBytes)
    at += prefixBytes + end - start
  }
  return batch
}

/**
 * Gives each frame of a BATCH to `onFrame`, as a range. `buffer[start, end)` is what follows its
 * header. Throws `protocol` for one that is empty, nested, or whose lengths do not add up.
 */
export function readBatch(
  buffer: Uint8Array,
  start: number,
  end: number,
  onFrame: (buffer: Uint8Array, start: number, end: number) => void,
): void {
  if (start === end) throw protocolError('empty BATCH')
  for (let at = start; at < end;) {
    if (end - at < prefixBytes) throw protocolError('malformed BATCH')
    const from = at + prefixBytes
    const length = readU32(buffer, at)
    if (length < headerBytes || length > end - from) throw protocolError('malformed BATCH')
    if (buffer[from] === FrameType.Batch) throw protocolError('BATCH inside BATCH')
    onFrame(buffer, from, from + length)
    at = from + length
  }
}
