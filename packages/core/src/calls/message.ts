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
  /** Changes, with the range, where a head turns out to need more room. */
  buffer: Uint8Array<ArrayBuffer>
  /** Range of the payload. */
  start: number
  end: number
  /** Bytes in front of it that belong to the message. */
  room: number
  readonly meta: Uint8Array | undefined
}

/** How a REQUEST or NOTIFY names its method: an id, or the bytes of `service.method`. */
export type MethodRef = number | Uint8Array

/**
 * What a REQUEST has between header and META as a rule: a method id and a deadline. Exactly as much
 * room as a frame needs makes frames lie behind each other, so that a turn's leave in one piece.
 */
export const requestFields: number = 2 + 4
/** Deadline, total, and the longest way to name a method. */
const fieldRoom = 4 + 4 + 1 + 255

/** Bytes of META in front of the payload. */
export function metaBytes(meta: Uint8Array | undefined): number {
  return meta === undefined ? 0 : meta.length
}

/**
 * Encodes a message. Throws RpcError: `invalid_argument` with the path for a value that cannot
 * travel, `resource_exhausted` over `maxMessage` of the peer; processed `no`. `fields`: bytes that
 * its head will need besides header and META; a wrong guess costs a copy.
 */
export function encodeMessage(
  shared: ByteSink,
  codec: SchemaCodec,
  value: unknown,
  meta?: Uint8Array,
  fields = 0,
): Message {
  // A getter of the user's value may make a call in the middle of this.
  const sink = shared.busy ? new ByteSink() : shared
  const room = roomBefore(meta, fields)
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
  return { buffer: sink.buffer, start: sink.start, end: sink.position, room, meta }
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
  const room = roomBefore(meta, requestFields)
  const buffer = new Uint8Array(room + end - start)
  buffer.set(message.buffer.subarray(start, end), room)
  return { buffer, start: room, end: buffer.length, room, meta }
}

/**
 * The same message in another codec. Throws RpcError `invalid_argument` for a value that the other
 * one does not carry; the message is then as it was.
 */
export function recodeMessage(
  shared: ByteSink,
  message: Message,
  from: SchemaCodec,
  to: SchemaCodec,
): Message {
  const { buffer, start, end, meta } = message
  return encodeMessage(shared, to, from.decode(buffer, start, end), meta, requestFields)
}

function roomBefore(meta: Uint8Array | undefined, fields: number): number {
  return frameRoom + headerBytes + fields + (meta === undefined ? 0 : 2 + meta.length)
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

/**
 * Writes the head of a single frame in front of its payload, which moves to another buffer where
 * there is too little room. Answers where the frame starts.
 */
export function writeHead(message: Message, head: Head): number {
  if (roomBefore(message.meta, fieldBytes(head)) > message.room) widen(message)
  return writeHeadBefore(message.buffer, message.start, message.meta, head, undefined)
}

function fieldBytes({ method, deadlineMs }: Head): number {
  const named = method === undefined ? 0 : typeof method === 'number' ? 2 : 1 + method.length
  return named + (deadlineMs === undefined ? 0 : 4)
}

function widen(message: Message): void {
  const { start, end } = message
  const room = roomBefore(message.meta, fieldRoom)
  const buffer = new Uint8Array(room + end - start)
  buffer.set(message.buffer.subarray(start, end), room)
  message.buffer = buffer
  message.start = message.room = room
  message.end = buffer.length
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
