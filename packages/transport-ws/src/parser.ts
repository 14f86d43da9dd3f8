// Bytes to WebSocket frames to messages (RFC 6455, section 5), for either role.
//   in  -> chunks, cut anywhere
//   out -> binary messages as ranges, control frames; WebSocketError for every broken rule
// Lengths are compared on the header, before a byte of the payload is kept. A message that lies whole
// in a chunk is unmasked in place and handed on without a copy.

import { CloseCode, isControl, isKnown, Opcode, WebSocketError } from './opcode.ts'
import { mask } from './mask.ts'

export interface ParserHandler {
  /** One whole binary message, borrowed until this returns. */
  onMessage(buffer: Uint8Array, start: number, end: number): void
  /** Ping, pong or close; the payload is borrowed. */
  onControl(opcode: number, payload: Uint8Array): void
}

export interface ParserOptions {
  /** A server requires masked frames, a client refuses them (section 5.1). */
  readonly role: 'server' | 'client'
  /** Largest message, in bytes. */
  readonly maxMessage: number
  /** Most frames that one message may be cut into. */
  readonly maxFragments: number
}

type State = 'header' | 'payload'

/** 2 bytes, 8 of length, 4 of mask. */
const longestHeader = 14

export class Parser {
  private readonly options: ParserOptions
  private readonly handler: ParserHandler
  private state: State = 'header'
  private readonly header = new Uint8Array(longestHeader)
  private headerLength = 0
  // The frame whose payload is being read.
  private opcode = 0
  private fin = false
  private size = 0
  private key = 0
  private masked = false
  private got = 0
  private control: Uint8Array | undefined
  // The message that is being put together.
  private message: Uint8Array | undefined
  private messageLength = 0
  private fragments = 0
  private inMessage = false
  private held: Uint8Array[] = []
  private paused = false
  private parsing = false

  constructor(options: ParserOptions, handler: ParserHandler) {
    this.options = options
    this.handler = handler
  }

  /** True while a frame or a message has begun and not ended. */
  get pending(): boolean {
    return this.headerLength > 0 || this.state === 'payload' || this.inMessage
  }

  /** Takes a chunk. It is changed in place: masked payloads are unmasked where they lie. */
  push(chunk: Uint8Array): void {
    if (this.paused || this.parsing) this.held.push(chunk)
    else this.parse(chunk)
  }

  /** Nothing is delivered any more until `resume`; also in the middle of a chunk. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    while (!this.paused && !this.parsing && this.held.length > 0) this.parse(this.held.shift()!)
  }

  private parse(chunk: Uint8Array): void {
    this.parsing = true
    let at = 0
    try {
      while (at < chunk.length && !this.paused)
        at = this.state === 'header' ? this.readHeader(chunk, at) : this.readPayload(chunk, at)
    } finally {
      this.parsing = false
    }
    if (at < chunk.length) this.held.unshift(chunk.subarray(at))
  }

  /** Collects header bytes until they say how many there are. */
  private readHeader(chunk: Uint8Array, from: number): number {
    let at = from
    const { header } = this
    while (at < chunk.length) {
      header[this.headerLength] = chunk[at]!
      this.headerLength += 1
      at += 1
      // The first two bytes are judged as soon as they are there.
      if (this.headerLength === 1) this.checkFirst(header[0]!)
      if (this.headerLength < 2) continue
      if (this.headerLength === 2) this.checkSecond(header[0]!, header[1]!)
      if (this.headerLength < headerSize(header[1]!)) continue
      this.beginFrame()
      // An empty payload is complete already.
      if (this.size === 0) this.endFrame()
      return at
    }
    return at
  }

  private checkFirst(first: number): void {
    if ((first & 0x70) !== 0) throw protocol('a reserved bit is set')
    const opcode = first & 0x0f
    if (!isKnown(opcode)) throw protocol('a reserved opcode')
    if (isControl(opcode)) {
      if ((first & 0x80) === 0) throw protocol('a fragmented control frame')
      return
    }
    // Text is refused on its first byte: there is nothing to decode.
    if (opcode === Opcode.Text)
      throw new WebSocketError(CloseCode.UnsupportedData, 'text is not accepted')
    if (opcode === Opcode.Continuation && !this.inMessage)
      throw protocol('continuation of no message')
    if (opcode !== Opcode.Continuation && this.inMessage)
      throw protocol('a message begins inside another')
  }

  private checkSecond(first: number, second: number): void {
    const masked = (second & 0x80) !== 0
    if (masked !== (this.options.role === 'server'))
      throw protocol(masked ? 'a masked frame from a server' : 'an unmasked frame from a client')
    if (isControl(first & 0x0f) && (second & 0x7f) > 125)
      throw protocol('a control frame over 125 bytes')
  }

  private beginFrame(): void {
    const { header } = this
    const short = header[1]! & 0x7f
    this.fin = (header[0]! & 0x80) !== 0
    this.opcode = header[0]! & 0x0f
    this.masked = (header[1]! & 0x80) !== 0
    this.size = short < 126 ? short : short === 126 ? readLength(header, 2) : readLength(header, 8)
    if (short === 126 && this.size < 126) throw protocol('a length in more bytes than it needs')
    if (short === 127 && this.size < 65_536) throw protocol('a length in more bytes than it needs')
    if (this.masked) this.key = readKey(header, this.headerLength - 4)
    this.headerLength = 0
    this.got = 0
    this.state = 'payload'
    if (isControl(this.opcode)) {
      this.control = new Uint8Array(this.size)
      return
    }
    if (this.messageLength + this.size > this.options.maxMessage)
      throw new WebSocketError(CloseCode.TooBig, `message over ${this.options.maxMessage} bytes`)
    this.fragments += 1
    if (this.fragments > this.options.maxFragments)
      throw new WebSocketError(
        CloseCode.TooBig,
        `message of more than ${this.options.maxFragments} frames`,
      )
    this.inMessage = true
  }

  private readPayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.size - this.got)
    if (this.masked) mask(chunk, at, end, this.key, this.got)
    const whole = this.got === 0 && end - at === this.size
    if (this.control !== undefined) this.control.set(chunk.subarray(at, end), this.got)
    else if (whole && this.fin && this.fragments === 1) {
      this.endMessage()
      this.handler.onMessage(chunk, at, end)
      return end
    } else this.append(chunk, at, end)
    this.got += end - at
    if (this.got === this.size) this.endFrame()
    return end
  }

  /** Memory grows with what has come, not with what was announced. */
  private append(chunk: Uint8Array, at: number, end: number): void {
    const length = this.messageLength + end - at
    let { message } = this
    if (message === undefined || length > message.length) {
      const grown = new Uint8Array(
        Math.min(this.options.maxMessage, Math.max(length, 2 * (message?.length ?? 512))),
      )
      if (message !== undefined) grown.set(message.subarray(0, this.messageLength))
      this.message = message = grown
    }
    message.set(chunk.subarray(at, end), this.messageLength)
    this.messageLength = length
  }

  private endFrame(): void {
    this.state = 'header'
    const { control } = this
    if (control !== undefined) {
      this.control = undefined
      return this.handler.onControl(this.opcode, control)
    }
    if (!this.fin) return
    const message = this.message ?? new Uint8Array(0)
    const length = this.messageLength
    this.endMessage()
    this.handler.onMessage(message, 0, length)
  }

  private endMessage(): void {
    this.state = 'header'
    this.message = undefined
    this.messageLength = 0
    this.fragments = 0
    this.inMessage = false
  }
}

function headerSize(second: number): number {
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

function readLength(header: Uint8Array, bytes: 2 | 8): number {
  // Section 5.2: the most significant bit of 64 must be 0.
  if (bytes === 8 && header[2]! >= 0x80) throw protocol('a length with its highest bit set')
  let length = 0
  for (let index = 2; index < 2 + bytes; index += 1) length = length * 256 + header[index]!
  return length
}

function readKey(header: Uint8Array, at: number): number {
  return (
    ((header[at]! << 24) | (header[at + 1]! << 16) | (header[at + 2]! << 8) | header[at + 3]!) >>> 0
  )
}

function protocol(message: string): WebSocketError {
  return new WebSocketError(CloseCode.ProtocolError, message)
}
