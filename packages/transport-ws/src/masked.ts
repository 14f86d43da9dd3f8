// A client's data frames: header, key and masked copy, written in place.
//   in  -> a range of the user's bytes, which stay as they are
//   out -> one range of an outbox

import { mask } from './mask.ts'
import { newMaskKey } from './mask-keys.ts'
import type { Outbox } from './outbox.ts'
import { headerBytesFor, writeFrameHeader } from './writer.ts'

/** Frames up to this size share slabs; a larger one has memory of its own. */
export const slabFrame: number = 16 * 1024

/** Adds one frame. `opcode` may carry RSV1. */
export function writeMasked(
  outbox: Outbox,
  opcode: number,
  buffer: Uint8Array,
  start: number,
  end: number,
): void {
  const size = end - start
  const header = headerBytesFor(size, true)
  const key = newMaskKey()
  if (size <= slabFrame) {
    const slab = outbox.room(header + size)
    const at = writeFrameHeader(slab, outbox.slabAt, opcode, size, key)
    copyMasked(slab, at, buffer, start, end, key)
    return outbox.commit(at + size)
  }
  // Not zeroed: every byte is written below.
  const frame = Buffer.allocUnsafeSlow(header + size)
  writeFrameHeader(frame, 0, opcode, size, key)
  frame.set(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end), header)
  mask(frame, header, frame.length, key)
  outbox.add(frame, 0, frame.length)
}

/** Short payloads in one loop: making a view costs more. */
function copyMasked(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
  key: number,
): void {
  const size = end - start
  if (size > 64) {
    target.set(source.subarray(start, end), at)
    mask(target, at, at + size, key)
    return
  }
  for (let index = 0; index < size; index += 1)
    target[at + index] = source[start + index]! ^ (key >>> (24 - 8 * (index & 3)))
}
