// Bytes to WebSocket frames to messages (RFC 6455, section 5), for either role.
//   in  -> chunks, cut anywhere
//   out -> messages, control frames; WebSocketError for every broken rule
// Lengths are compared on the header, before a byte of the payload is kept. A message that lies whole
// in a chunk is unmasked in place and handed on without a copy. Text is refused at its first wrong
// byte. What a compressed message says is not known here: it is handed on as it came.

import { Assembly } from './assembly.ts'
import { mask } from './mask.ts'
import {
  Bit,
  CloseCode,
  isControl,
  isKnown,
  maxControlBytes,
  Opcode,
  protocolError,
  WebSocketError,
} from './opcode.ts'
import { textOf, Utf8Checker } from './utf8.ts'

export interface ParserHandler {
  /** One whole binary message. The parser does not touch its bytes again. */
  onMessage(buffer: Uint8Array, start: number, end: number): void
  /** One whole text. Never called unless `text` is set. */
  onText?(text: string): void
  /** One whole message with RSV1. Never called unless `compressed` is set. */
  onCompressed?(payload: Uint8Array, isText: boolean): void
  /** Ping, pong or close; the payload is the handler's. */
  onControl(opcode: number, payload: Uint8Array): void
}

export interface ParserOptions {
  /** A server requires masked frames, a client refuses them (section 5.1). */
  readonly role: 'server' | 'client'
  /** Largest message, in bytes. */
  readonly maxMessage: number
  /** Largest first message, in bytes: its sender is still a stranger. Default `maxMessage`. */
  readonly maxFirst?: number | undefined
  /** Most frames that one message may be cut into. */
  readonly maxFragments: number
  /** Whether text is spoken; otherwise its first byte is refused with 1003. */
  readonly text?: boolean
  /** Whether an extension was agreed that gives RSV1 a meaning (RFC 7692, section 6). */
  readonly compressed?: boolean
}

/** 2 bytes, 8 of length, 4 of mask. */
const longestHeader = 14

export class Parser {
  private readonly options: ParserOptions
  private readonly handler: ParserHandler
  /** Most bytes on the wire of a compressed message: what does not shrink grows a little. */
  private readonly maxCompressed: number
  /** A header that is cut by the end of a chunk. */
  private header: Uint8Array | undefined
  private headerLength = 0
  // The frame whose payload is being read.
  private inPayload = false
  private opcode = 0
  private fin = false
  private size = 0
  private key = 0
  private got = 0
  private control: Uint8Array | undefined
  // The message that is being put together.
  private inMessage = false
  private isText = false
  private isCompressed = false
  private fragments = 0
  private announced = 0
  /** `maxFirst` until the first message is there. */
  private most: number
  private assembly: Assembly | undefined
  private checker: Utf8Checker | undefined
  // Delivery.
  private held: Uint8Array[] | undefined
  private paused = false
  private stopped = false
  private parsing = false

  constructor(options: ParserOptions, handler: ParserHandler) {
    this.options = options
    this.handler = handler
    const { maxMessage } = options
    this.most = Math.min(options.maxFirst ?? maxMessage, maxMessage)
    this.maxCompressed = maxMessage + Math.ceil(maxMessage / 1024) + 1024
  }

  /** True while a frame or a message has begun and not ended. */
  get pending(): boolean {
    return this.headerLength > 0 || this.inPayload || this.inMessage
  }

  /** True while chunks wait for `resume`. */
  get holding(): boolean {
    return this.held !== undefined
  }

  /** Takes a chunk and keeps it. It is changed in place: masked payloads are unmasked where they lie. */
  push(chunk: Uint8Array): void {
    if (this.stopped) return
    if (this.paused || this.parsing) (this.held ??= []).push(chunk)
    else this.parse(chunk)
  }

  /** Nothing is delivered any more until `resume`; also in the middle of a chunk. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (this.stopped) return
    this.paused = false
    while (!this.paused && !this.parsing && this.held !== undefined) {
      const chunk = this.held.shift()
      if (this.held.length === 0) this.held = undefined
      if (chunk !== undefined) this.parse(chunk)
    }
  }

  /** Forgets what waits and what has begun: nothing is delivered any more. */
  stop(): void {
    this.paused = true
    this.stopped = true
    this.held = undefined
    this.assembly = undefined
    this.control = undefined
  }

  private parse(chunk: Uint8Array): void {
    this.parsing = true
    let at = 0
    try {
      while (at < chunk.length && !this.paused)
        at = this.inPayload ? this.readPayload(chunk, at) : this.readHeader(chunk, at)
    } finally {
      this.parsing = false
    }
    if (at < chunk.length && !this.stopped) (this.held ??= []).unshift(chunk.subarray(at))
  }

  private readHeader(chunk: Uint8Array, at: number): number {
    const left = chunk.length - at
    if (this.headerLength > 0 || left < 2 || left < headerSize(chunk[at + 1]!))
      return this.readCutHeader(chunk, at)
    this.checkFirst(chunk[at]!)
    this.checkSecond(chunk[at]!, chunk[at + 1]!)
    const next = at + headerSize(chunk[at + 1]!)
    this.beginFrame(chunk, at)
    return this.size === 0 ? this.readPayload(chunk, next) : next
  }

  /** Collects header bytes until they say how many there are. */
  private readCutHeader(chunk: Uint8Array, from: number): number {
    const header = (this.header ??= new Uint8Array(longestHeader))
    for (let at = from; at < chunk.length;) {
      header[this.headerLength] = chunk[at]!
      this.headerLength += 1
      at += 1
      // The first two bytes are judged as soon as they are there.
      if (this.headerLength === 1) this.checkFirst(header[0]!)
      if (this.headerLength < 2) continue
      if (this.headerLength === 2) this.checkSecond(header[0]!, header[1]!)
      if (this.headerLength < headerSize(header[1]!)) continue
      this.headerLength = 0
      this.beginFrame(header, 0)
      // An empty payload is complete already.
      return this.size === 0 ? this.readPayload(chunk, at) : at
    }
    return chunk.length
  }

  private checkFirst(first: number): void {
    const opcode = first & 0x0f
    if ((first & (Bit.Rsv2 | Bit.Rsv3)) !== 0) throw protocolError('a reserved bit is set')
    // RFC 7692, section 6.1: only on the first frame of a message.
    if ((first & Bit.Rsv1) !== 0) {
      if (this.options.compressed !== true) throw protocolError('a reserved bit is set')
      if (isControl(opcode)) throw protocolError('a compressed control frame')
      if (opcode === Opcode.Continuation) throw protocolError('RSV1 on a continuation')
    }
    if (!isKnown(opcode)) throw protocolError('a reserved opcode')
    if (isControl(opcode)) {
      if ((first & Bit.Fin) === 0) throw protocolError('a fragmented control frame')
      return
    }
    if (opcode === Opcode.Continuation && !this.inMessage)
      throw protocolError('continuation of no message')
    if (opcode !== Opcode.Continuation && this.inMessage)
      throw protocolError('a message begins inside another')
    if (opcode === Opcode.Text && this.options.text !== true)
      throw new WebSocketError(CloseCode.UnsupportedData, 'text is not accepted')
  }

  private checkSecond(first: number, second: number): void {
    const masked = (second & 0x80) !== 0
    if (masked !== (this.options.role === 'server'))
      throw protocolError(
        masked ? 'a masked frame from a server' : 'an unmasked frame from a client',
      )
    if (isControl(first & 0x0f) && (second & 0x7f) > maxControlBytes)
      throw protocolError('a control frame over 125 bytes')
  }

  /** A whole header lies at `at`, its first two bytes checked. */
  private beginFrame(bytes: Uint8Array, at: number): void {
    const first = bytes[at]!
    this.fin = (first & Bit.Fin) !== 0
    this.opcode = first & 0x0f
    this.size = lengthOf(bytes, at)
    if (this.options.role === 'server')
      this.key = readKey(bytes, at + headerSize(bytes[at + 1]!) - 4)
    this.got = 0
    this.inPayload = true
    if (isControl(this.opcode)) {
      this.control = new Uint8Array(this.size)
      return
    }
    if (!this.inMessage) this.beginMessage(first)
    this.checkLimits()
  }

  private beginMessage(first: number): void {
    this.inMessage = true
    this.isText = this.opcode === Opcode.Text
    this.isCompressed = (first & Bit.Rsv1) !== 0
    this.fragments = 0
    this.announced = 0
  }

  private checkLimits(): void {
    const { maxMessage, maxFragments } = this.options
    const { most } = this
    this.announced += this.size
    if (this.announced > (this.isCompressed ? this.maxCompressed : most)) {
      const limit = most < maxMessage ? 'maxHello' : 'maxFrame'
      throw new WebSocketError(CloseCode.TooBig, `message over ${most} bytes`, limit)
    }
    this.fragments += 1
    if (this.fragments > maxFragments)
      throw new WebSocketError(
        CloseCode.PolicyViolation,
        `message of more than ${maxFragments} frames`,
        'maxFragments',
      )
  }

  private readPayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.size - this.got)
    if (this.options.role === 'server') mask(chunk, at, end, this.key, this.got)
    const ends = this.got + end - at === this.size
    if (this.control !== undefined) this.control.set(chunk.subarray(at, end), this.got)
    else if (ends && this.got === 0 && this.fin && this.fragments === 1) {
      this.inPayload = false
      this.inMessage = false
      this.deliver(chunk, at, end)
      return end
    } else this.append(chunk, at, end)
    this.got += end - at
    if (ends) this.endFrame()
    return end
  }

  private append(chunk: Uint8Array, at: number, end: number): void {
    if (this.isText && !this.isCompressed) {
      this.checker ??= new Utf8Checker()
      if (!this.checker.push(chunk, at, end)) throw notText()
    }
    if (at < end) (this.assembly ??= new Assembly()).add(chunk, at, end)
  }

  private endFrame(): void {
    this.inPayload = false
    const { control } = this
    if (control !== undefined) {
      this.control = undefined
      return this.handler.onControl(this.opcode, control)
    }
    if (!this.fin) return
    this.inMessage = false
    if (this.checker?.complete === false) throw notText()
    const message = this.assembly?.take() ?? empty
    // The next message may be years away.
    this.assembly = undefined
    this.deliver(message, 0, message.length)
  }

  private deliver(buffer: Uint8Array, start: number, end: number): void {
    this.most = this.options.maxMessage
    if (this.isCompressed) this.handler.onCompressed?.(buffer.subarray(start, end), this.isText)
    else if (this.isText) this.handler.onText?.(textOf(buffer, start, end))
    else this.handler.onMessage(buffer, start, end)
  }
}

const empty = new Uint8Array(0)

function headerSize(second: number): number {
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

/** The payload's length, which must be in its shortest form (section 5.2). */
function lengthOf(bytes: Uint8Array, at: number): number {
  const short = bytes[at + 1]! & 0x7f
  if (short < 126) return short
  const count = short === 126 ? 2 : 8
  // The most significant bit of 64 must be 0.
  if (count === 8 && bytes[at + 2]! >= 0x80)
    throw protocolError('a length with its highest bit set')
  let length = 0
  for (let index = at + 2; index < at + 2 + count; index += 1) length = length * 256 + bytes[index]!
  if (length < (count === 2 ? 126 : 65_536))
    throw protocolError('a length in more bytes than it needs')
  return length
}

function readKey(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}

function notText(): WebSocketError {
  return new WebSocketError(CloseCode.InvalidPayload, 'text that is not UTF-8')
}
