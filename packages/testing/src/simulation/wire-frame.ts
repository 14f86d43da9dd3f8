// A frame taken apart, as far as the checker of the wire needs it.
//   in  -> bytes of a frame
//   out -> type, flags, id, what it costs of a window; a digest without what a replay may change

import { headerBytes } from '@callbox/core/internal'

export interface WireFrame {
  readonly bytes: Uint8Array
  readonly type: number
  readonly flags: number
  readonly id: number
  /** What it costs of its stream's window, in bytes; 0 if nothing. */
  readonly cost: number
  /** CREDIT: bytes granted, else 0. */
  readonly credit: number
  /** Where the deadline stands, -1 without one: a replay writes it anew. */
  readonly deadlineAt: number
}

export const Frames = {
  Request: 0x10,
  Data: 0x11,
  End: 0x12,
  Error: 0x13,
  Cancel: 0x14,
  Credit: 0x15,
  Notify: 0x16,
} as const

export const Flags = { More: 0x01, End: 0x02, Meta: 0x04, Named: 0x08, Deadline: 0x10, Cont: 0x40 }

/** By the protocol: every frame that costs, costs this besides its metadata and payload. */
const frameCost = 64

export function frameOf(bytes: Uint8Array): WireFrame {
  const type = bytes[0]!
  const flags = bytes[1]!
  const id = u32(bytes, 2)
  let at = headerBytes
  let deadlineAt = -1
  if (type === Frames.Request || type === Frames.Notify)
    at += (flags & Flags.Named) === 0 ? 2 : 1 + bytes[at]!
  if (type === Frames.Request && (flags & Flags.Deadline) !== 0) {
    deadlineAt = at
    at += 4
  }
  if ((flags & Flags.More) !== 0 && (flags & Flags.Cont) === 0) at += 4
  // The length of the metadata is no part of it.
  if ((flags & Flags.Meta) !== 0) at += 2
  const costs = type === Frames.Request || type === Frames.Data || type === Frames.Notify
  return {
    bytes,
    type,
    flags,
    id,
    cost: costs ? bytes.length - at + frameCost : 0,
    credit: type === Frames.Credit ? u32(bytes, headerBytes) : 0,
    deadlineAt,
  }
}

/** Of the first 64 and the last 16 bytes: enough to tell frames apart that chance has made. */
export function digestOf({ bytes, deadlineAt }: WireFrame): number {
  let hash = (0x811c9dc5 ^ bytes.length) >>> 0
  const fold = (from: number, to: number): void => {
    for (let at = from; at < to; at += 1)
      if (deadlineAt < 0 || at < deadlineAt || at >= deadlineAt + 4)
        hash = Math.imul(hash ^ bytes[at]!, 0x01000193) >>> 0
  }
  fold(0, Math.min(64, bytes.length))
  if (bytes.length > 64) fold(Math.max(64, bytes.length - 16), bytes.length)
  return hash
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}
