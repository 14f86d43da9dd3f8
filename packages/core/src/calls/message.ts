// One message on its way out: an encoded payload, with room in front of it for every head it may get.
//   in  -> a value, its codec, metadata
//   out -> a range of a buffer; the frame's head, written backwards from the payload
// The head is written when the frame goes to the link: only then are the id, the way the method is
// named and the milliseconds left known.

import { RpcError } from '../base/errors.ts'
import { CodecError, type SchemaCodec } from '../codec/codec.ts'
import { ByteSink } from '../codec/sink.ts'
import { Flag, headerBytes, writeHeader, writeU16, writeU32 } from '../frames/frame.ts'
import { frameRoom } from '../link/link.ts'

export interface Message {
  readonly buffer: Uint8Array<ArrayBuffer>
  /** Range of the payload. */
  readonly start: number
  readonly end: number
  readonly meta: Uint8Array | undefined
}

/** How a REQUEST or NOTIFY names its method: an id, or the bytes of `service.method`. */
export type MethodRef = number | Uint8Array

/** Deadline, total, and the longest way to name a method. */
const fieldRoom = 4 + 4 + 1 + 255

/** Bytes of META in front of the payload. */
export function metaBytes(meta: Uint8Array | undefined): number {
  return meta === undefined ? 0 : meta.length
}

/**
 * Encodes a message. Throws RpcError: `invalid_argument` with the path for a value that cannot
 * travel, `resource_exhausted` over `maxMessage` of the peer; processed `no`.
 */
export function encodeMessage(
  shared: ByteSink,
  codec: SchemaCodec,
  value: unknown,
  meta?: Uint8Array,
): Message {
  // A getter of the user's value may make a call in the middle of this.
  const sink = shared.busy ? new ByteSink() : shared
  const room = roomBefore(meta)
  sink.busy = true
  sink.begin(room)
  try {
    codec.encode(value, sink)
  } catch (error) {
    sink.reset()
    throw localRefusal(error)
  } finally {
    sink.busy = false
  }
  return { buffer: sink.buffer, start: sink.start, end: sink.position, meta }
}

/**
 * The same message, with other metadata if need be, in a buffer of its own: the frame it was sent in
 * may still be needed as it was.
 */
export function copyMessage(
  message: Message,
  meta: Uint8Array | undefined = message.meta,
): Message {
  const { start, end } = message
  const room = roomBefore(meta)
  const buffer = new Uint8Array(room + end - start)
  buffer.set(message.buffer.subarray(start, end), room)
  return { buffer, start: room, end: buffer.length, meta }
}

function roomBefore(meta: Uint8Array | undefined): number {
  return frameRoom + headerBytes + fieldRoom + (meta === undefined ? 0 : 2 + meta.length)
}

/** What a value that does not encode means to whoever sent it. */
function localRefusal(error: unknown): RpcError {
  if (error instanceof CodecError) {
    const where = error.path === '' ? '' : `${error.path}: `
    return new RpcError('invalid_argument', `${where}${error.message}`, { processed: 'no' })
  }
  // A getter or a toJSON of the user's value threw.
  return new RpcError('invalid_argument', 'the value does not encode', {
    processed: 'no',
    cause: error,
  })
}

export interface Head {
  readonly type: number
  readonly flags: number
  readonly id: number
  /** REQUEST and NOTIFY. */
  readonly method?: MethodRef | undefined
  /** Milliseconds left; REQUEST. */
  readonly deadlineMs?: number | undefined
}

/** Writes the head of a single frame in front of its payload. Answers where the frame starts. */
export function writeHead(message: Message, head: Head): number {
  return writeHeadBefore(message.buffer, message.start, message.meta, head, undefined)
}

/** The same in front of any payload; `total` is what a first fragment announces. */
function writeHeadBefore(
  buffer: Uint8Array,
  payloadStart: number,
  meta: Uint8Array | undefined,
  head: Head,
  total: number | undefined,
): number {
  let at = payloadStart
  let flags = head.flags
  if (meta !== undefined) {
    at -= meta.length
    buffer.set(meta, at)
    at -= 2
    writeU16(buffer, at, meta.length)
    flags |= Flag.Meta
  }
  if (total !== undefined) writeU32(buffer, (at -= 4), total)
  if (head.deadlineMs !== undefined) {
    writeU32(buffer, (at -= 4), head.deadlineMs)
    flags |= Flag.Deadline
  }
  const { method } = head
  if (typeof method === 'number') writeU16(buffer, (at -= 2), method)
  else if (method !== undefined) {
    at -= method.length
    buffer.set(method, at)
    buffer[(at -= 1)] = method.length
    flags |= Flag.Named
  }
  at -= headerBytes
  writeHeader(buffer, at, head.type, flags, head.id)
  return at
}

/**
 * A fragment as a frame of its own: `payload[from, to)` of the message. The first one has the whole
 * head and the total, the others a header only. Copies: the bytes in front of a fragment belong to
 * the fragment before it.
 */
export function cutFragment(
  message: Message,
  from: number,
  to: number,
  head: Head,
): { buffer: Uint8Array<ArrayBuffer>; start: number } {
  const first = from === message.start
  const room = frameRoom + headerBytes + (first ? fieldRoom + 2 + metaBytes(message.meta) : 0)
  const buffer = new Uint8Array(room + to - from)
  buffer.set(message.buffer.subarray(from, to), room)
  const total = first ? message.end - message.start : undefined
  const start = writeHeadBefore(buffer, room, first ? message.meta : undefined, head, total)
  return { buffer, start }
}
