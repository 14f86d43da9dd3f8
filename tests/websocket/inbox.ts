// What the tested end sends, judged: every frame of it has to obey RFC 6455 and 7692 by itself.
//   in  -> its bytes after the opening handshake
//   out -> messages, pongs and the close frame; a Fault for the first broken rule

import { constants, inflateRawSync } from 'node:zlib'
import { decodeFrame, Opcode, type ReceivedFrame, type Role } from './wire.ts'

/** The case has failed, and this is why. */
export class Fault extends Error {}

/** What was agreed on for the messages of the tested end. */
export interface Compression {
  readonly takeover: boolean
  readonly windowBits: number
}

export interface InboxHandler {
  message(kind: 'text' | 'binary', payload: Uint8Array, compressed: boolean): void
  pong(payload: Uint8Array): void
  close(code: number, reason: Uint8Array): void
}

const windowSize = 32_768
const tail = Buffer.from([0, 0, 0xff, 0xff])

export class Inbox {
  private readonly from: Role
  private readonly compression: Compression | undefined
  private readonly handler: InboxHandler
  private bytes = Buffer.alloc(0)
  private parts: Uint8Array[] = []
  private first: ReceivedFrame | undefined
  private history = Buffer.alloc(0)
  private closed = false
  private readonly keys = new Set<string>()

  constructor(from: Role, compression: Compression | undefined, handler: InboxHandler) {
    this.from = from
    this.compression = compression
    this.handler = handler
  }

  /** True where a frame or a message has begun and not ended. */
  get pending(): boolean {
    return this.bytes.length > 0 || this.first !== undefined
  }

  push(chunk: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, chunk])
    for (;;) {
      const decoded = decodeFrame(this.bytes)
      if (decoded === undefined) return
      this.bytes = this.bytes.subarray(decoded.size)
      this.take(decoded.frame)
    }
  }

  private take(frame: ReceivedFrame): void {
    if (this.closed) throw new Fault('it sent a frame after its close frame')
    this.checkHeader(frame)
    if (frame.opcode === Opcode.Close) return this.takeClose(frame.payload)
    if (frame.opcode === Opcode.Pong) return this.handler.pong(frame.payload)
    if (frame.opcode === Opcode.Ping) return
    this.takeData(frame)
  }

  private checkHeader({ opcode, fin, rsv, key, payload, form }: ReceivedFrame): void {
    if ((key !== undefined) !== (this.from === 'client'))
      throw new Fault(key === undefined ? 'it sent an unmasked frame' : 'it sent a masked frame')
    // Section 5.3: no key may be foretold. 32 bits repeat by chance once in 2^32 pairs.
    const name = key?.join() ?? ''
    if (this.keys.has(name)) throw new Fault('it used a mask key twice')
    if (key !== undefined) this.keys.add(name)
    const fewest = payload.length < 126 ? 7 : payload.length < 65_536 ? 16 : 64
    if (form !== fewest) throw new Fault('it sent a length that is not minimal')
    const control = opcode >= 8
    if (control && (!fin || payload.length > 125 || rsv !== 0))
      throw new Fault('it sent a bad control frame')
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw new Fault(`it sent opcode ${opcode}`)
    if (control) return
    if ((opcode === Opcode.Continuation) !== (this.first !== undefined))
      throw new Fault('its fragments are out of order')
    const mayCompress = this.compression !== undefined && opcode !== Opcode.Continuation
    if (rsv !== 0 && !(rsv === 4 && mayCompress)) throw new Fault('it set a reserved bit')
  }

  private takeClose(payload: Uint8Array): void {
    this.closed = true
    if (payload.length === 0) return this.handler.close(1005, payload)
    if (payload.length === 1) throw new Fault('it sent a close frame of one byte')
    const code = payload[0]! * 256 + payload[1]!
    const named = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)
    if (!named && !(code >= 3000 && code <= 4999)) throw new Fault(`it sent close code ${code}`)
    checkText(payload.subarray(2))
    this.handler.close(code, payload.subarray(2))
  }

  private takeData(frame: ReceivedFrame): void {
    this.first ??= frame
    this.parts.push(frame.payload)
    if (!frame.fin) return
    const compressed = this.first.rsv === 4
    const kind = this.first.opcode === Opcode.Text ? 'text' : 'binary'
    const whole = Buffer.concat(this.parts)
    this.parts = []
    this.first = undefined
    const payload = compressed ? this.inflate(whole) : whole
    if (kind === 'text') checkText(payload)
    this.handler.message(kind, payload, compressed)
  }

  private inflate(payload: Buffer): Buffer {
    const { takeover, windowBits } = this.compression!
    // RFC 7692, section 7.2.1: the receiver puts them back.
    if (payload.subarray(-4).equals(tail)) throw new Fault('its message ends with 00 00 ff ff')
    // What a peer remembers of earlier messages is, to zlib, a dictionary.
    const dictionary = takeover && this.history.length > 0 ? this.history : undefined
    let plain: Buffer
    try {
      plain = inflateRawSync(Buffer.concat([payload, tail]), {
        windowBits,
        finishFlush: constants.Z_SYNC_FLUSH,
        ...(dictionary === undefined ? {} : { dictionary }),
      })
    } catch (error) {
      throw new Fault(`its compressed message is broken: ${(error as Error).message}`)
    }
    this.history = Buffer.concat([this.history, plain]).subarray(-windowSize)
    return plain
  }
}

function checkText(bytes: Uint8Array): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Fault('it sent text that is not UTF-8')
  }
}
