// What stands between a frame's header and its payload, and the small frames that have no payload.
//   in  -> a buffer with a whole frame in it
//   out -> fields in an object that the caller reuses; or bytes
// Values of maps (HELLO, GOAWAY ...) are decoded by whoever reads them; here they are ranges.

import { ConnectionError, codeNumbers, protocolError, type Code } from '../base/errors.ts'
import { frameRoom } from '../link/link.ts'
import { Flag, FrameType, headerBytes, readU16, readU32, writeHeader, writeU32 } from './frame.ts'

/** `43 42 4F 58`, "CBOX": how a HELLO is told from anything else that may come to a port. */
export const magic = 0x43424f58
export const major = 1
export const minor = 0

/**
 * The fields of a REQUEST, DATA, NOTIFY or END, as ranges of the frame's buffer. One object is
 * reused for all frames of a connection: valid until the next parse.
 */
export class MessageFields {
  /** Method id, or -1 where the method is named. */
  method = -1
  nameStart = 0
  nameEnd = 0
  /** Milliseconds left, or -1 without DEADLINE. */
  deadlineMs = -1
  /** Payload bytes of the whole message where MORE announces fragments, else -1. */
  total = -1
  /** Range of the metadata map; empty without META. */
  metaStart = 0
  metaEnd = 0
  payloadStart = 0

  /** Parses what follows the header at `start`. Throws `protocol` if the frame is too short. */
  parse(bytes: Uint8Array, start: number, end: number): void {
    const type = bytes[start]!
    const flags = bytes[start + 1]!
    let at = start + headerBytes
    this.method = -1
    this.deadlineMs = -1
    this.total = -1
    if (type === FrameType.Request || type === FrameType.Notify) {
      at =
        (flags & Flag.Named) === 0 ? this.readMethod(bytes, at, end) : this.readName(bytes, at, end)
    }
    if ((flags & Flag.Deadline) !== 0) {
      need(at + 4, end)
      this.deadlineMs = readU32(bytes, at)
      at += 4
    }
    if ((flags & Flag.More) !== 0 && (flags & Flag.Cont) === 0) {
      need(at + 4, end)
      this.total = readU32(bytes, at)
      at += 4
    }
    this.metaStart = this.metaEnd = at
    if ((flags & Flag.Meta) !== 0) {
      need(at + 2, end)
      this.metaStart = at + 2
      this.metaEnd = at = this.metaStart + readU16(bytes, at)
      need(at, end)
    }
    this.payloadStart = at
  }

  private readMethod(bytes: Uint8Array, at: number, end: number): number {
    need(at + 2, end)
    this.method = readU16(bytes, at)
    return at + 2
  }

  private readName(bytes: Uint8Array, at: number, end: number): number {
    need(at + 1, end)
    this.nameStart = at + 1
    this.nameEnd = this.nameStart + bytes[at]!
    need(this.nameEnd, end)
    return this.nameEnd
  }
}

function need(upTo: number, end: number): void {
  if (upTo > end) throw protocolError('frame ends inside its fields')
}

/** Writes what is left of a REQUEST's deadline into it; `leftMs` below 0 counts as 0. */
export function rewriteDeadline(bytes: Uint8Array, start: number, leftMs: number): void {
  const flags = bytes[start + 1]!
  if ((flags & Flag.Deadline) === 0) return
  const method = start + headerBytes
  const at = method + ((flags & Flag.Named) === 0 ? 2 : 1 + bytes[method]!)
  writeU32(bytes, at, Math.max(0, Math.floor(leftMs)))
}

/** A frame of its own, with the room in front that a link needs. */
export interface Frame {
  readonly buffer: Uint8Array<ArrayBuffer>
  readonly start: number
  readonly end: number
}

function newFrame(type: number, id: number, fieldBytes: number, flags = 0): Frame {
  const buffer = new Uint8Array(frameRoom + headerBytes + fieldBytes)
  writeHeader(buffer, frameRoom, type, flags, id)
  return { buffer, start: frameRoom, end: buffer.length }
}

const fieldsAt = frameRoom + headerBytes

/** HELLO: magic, major, min minor, max minor, 0, map. */
export function helloFrame(map: Uint8Array): Frame {
  const frame = newFrame(FrameType.Hello, 0, 8 + map.length)
  writeU32(frame.buffer, fieldsAt, magic)
  frame.buffer.set([major, minor, minor, 0], fieldsAt + 4)
  frame.buffer.set(map, fieldsAt + 8)
  return frame
}

/** WELCOME: major, minor, u16 0, map. */
export function welcomeFrame(map: Uint8Array): Frame {
  const frame = newFrame(FrameType.Welcome, 0, 4 + map.length)
  frame.buffer.set([major, minor, 0, 0], fieldsAt)
  frame.buffer.set(map, fieldsAt + 4)
  return frame
}

/** GOAWAY: code, flags, u16 0, last accepted stream id, map. Code 0 is a normal close. */
export function goAwayFrame(code: Code | 'closed', lastAcceptedId: number, map: Uint8Array): Frame {
  const frame = newFrame(FrameType.GoAway, 0, 8 + map.length)
  frame.buffer[fieldsAt] = code === 'closed' ? 0 : codeNumbers[code]
  writeU32(frame.buffer, fieldsAt + 4, lastAcceptedId)
  frame.buffer.set(map, fieldsAt + 8)
  return frame
}

/** PING and PONG: 8 opaque bytes, received position. */
export function pingFrame(
  type: typeof FrameType.Ping | typeof FrameType.Pong,
  opaque: Uint8Array,
  position: number,
): Frame {
  const frame = newFrame(type, 0, 12)
  frame.buffer.set(opaque, fieldsAt)
  writeU32(frame.buffer, fieldsAt + 8, position)
  return frame
}

/** ACK: received position. */
export function ackFrame(position: number): Frame {
  const frame = newFrame(FrameType.Ack, 0, 4)
  writeU32(frame.buffer, fieldsAt, position)
  return frame
}

/** LIMITS: map of changed receive limits. */
export function limitsFrame(map: Uint8Array): Frame {
  const frame = newFrame(FrameType.Limits, 0, map.length)
  frame.buffer.set(map, fieldsAt)
  return frame
}

/** AUTH: map with a fresh credential, or with the answer to one. */
export function authFrame(map: Uint8Array): Frame {
  const frame = newFrame(FrameType.Auth, 0, map.length)
  frame.buffer.set(map, fieldsAt)
  return frame
}

/** CANCEL: code. */
export function cancelFrame(id: number, code: Code): Frame {
  const frame = newFrame(FrameType.Cancel, id, 1)
  frame.buffer[fieldsAt] = codeNumbers[code]
  return frame
}

/** CREDIT: bytes granted. Stream id 0 grants to events. */
export function creditFrame(id: number, bytes: number): Frame {
  const frame = newFrame(FrameType.Credit, id, 4)
  writeU32(frame.buffer, fieldsAt, bytes)
  return frame
}

/** END without a message. */
export function endFrame(id: number): Frame {
  return newFrame(FrameType.End, id, 0)
}

/** Flags inside an ERROR frame. */
export const ErrorFlag = {
  /** The callee guarantees that the handler never ran. */
  NotProcessed: 1,
  NoRetry: 2,
  /** Declared in the contract: tag and checked data. */
  Typed: 4,
  /** Milliseconds to wait before the next try follow. */
  Pushback: 8,
} as const

/** The fixed part of an ERROR; its body is msgpack `[message, tag?, data?]`. */
export interface ErrorFields {
  readonly code: Code
  readonly flags: number
  readonly retryAfterMs?: number | undefined
}

/** ERROR: code, flags, [retry after], body. */
export function errorFrame(id: number, fields: ErrorFields, body: Uint8Array): Frame {
  const pushback = fields.retryAfterMs !== undefined
  const at = fieldsAt + 2 + (pushback ? 4 : 0)
  const frame = newFrame(FrameType.Error, id, 2 + (pushback ? 4 : 0) + body.length)
  frame.buffer[fieldsAt] = codeNumbers[fields.code]
  frame.buffer[fieldsAt + 1] = fields.flags | (pushback ? ErrorFlag.Pushback : 0)
  if (fields.retryAfterMs !== undefined) writeU32(frame.buffer, fieldsAt + 2, fields.retryAfterMs)
  frame.buffer.set(body, at)
  return frame
}

/** The received ERROR at `start`: numbers as they came, and where its body is. */
export interface ParsedError {
  readonly code: number
  readonly flags: number
  readonly retryAfterMs: number | undefined
  readonly bodyStart: number
}

export function parseError(bytes: Uint8Array, start: number, end: number): ParsedError {
  let at = start + headerBytes
  need(at + 2, end)
  const code = bytes[at]!
  const flags = bytes[at + 1]!
  at += 2
  let retryAfterMs: number | undefined
  if ((flags & ErrorFlag.Pushback) !== 0) {
    need(at + 4, end)
    retryAfterMs = readU32(bytes, at)
    at += 4
  }
  if ((bytes[start + 1]! & Flag.Meta) !== 0) {
    need(at + 2, end)
    at += 2 + readU16(bytes, at)
    need(at, end)
  }
  return { code, flags, retryAfterMs, bodyStart: at }
}

/** A received HELLO's fixed fields, checked; the map starts at the index returned. */
export function parseHello(bytes: Uint8Array, start: number, end: number): number {
  const at = start + headerBytes
  // The magic is compared first, so that a stranger is told apart on its first 14 bytes.
  if (bytes[start] !== FrameType.Hello || end - at < 8 || readU32(bytes, at) !== magic)
    throw protocolError('first frame is not HELLO')
  requireConnectionScope(bytes, start)
  if (bytes[at + 4] !== major) throw new VersionError(`${bytes[at + 4]}`)
  const [least, most] = [bytes[at + 5]!, bytes[at + 6]!]
  if (least > most || bytes[at + 7] !== 0) throw protocolError('malformed HELLO')
  if (least > minor) throw new VersionError(`${major}.${least}`)
  return at + 8
}

/** A received WELCOME's fixed fields, checked; the map starts at the index returned. */
export function parseWelcome(bytes: Uint8Array, start: number, end: number): number {
  const at = start + headerBytes
  if (bytes[start] !== FrameType.Welcome) throw protocolError('first frame is not WELCOME')
  requireConnectionScope(bytes, start)
  need(at + 4, end)
  if (bytes[at] !== major || bytes[at + 1]! > minor)
    throw new VersionError(`${bytes[at]}.${bytes[at + 1]}`)
  if (readU16(bytes, at + 2) !== 0) throw protocolError('malformed WELCOME')
  return at + 4
}

/** Frames of connection scope carry stream id 0. */
export function requireConnectionScope(bytes: Uint8Array, start: number): void {
  if (readU32(bytes, start + 2) !== 0) throw protocolError('stream id on a connection frame')
}

/** The versions of this side, as GOAWAY states them: major, least and highest minor. */
export const versions: readonly [number, number, number] = [major, minor, minor]

/** The peer speaks another version. */
export class VersionError extends ConnectionError {
  constructor(theirs: string) {
    super('protocol', `version ${theirs} of the peer is not version ${major}.${minor} of this side`)
    this.name = 'VersionError'
  }
}
