// A WebSocket without the RPC layer: text and binary messages over a connection.
//   in  -> messages of the user; messages of the connection
//   out -> frames, small ones in shared slabs, one write a turn; messages to the handler
// With an extension both directions are worked through strictly in order: what is behind a message
// that is being compressed waits for it.

import {
  Connection,
  type ConnectionEnd,
  type ConnectionOptions,
  type ConnectionOwner,
  type ConnectionParts,
} from './connection.ts'
import type { MessageCodec } from './extension.ts'
import { slabFrame, writeMasked } from './masked.ts'
import { Bit, CloseCode, isCloseCode, maxControlBytes, Opcode } from './opcode.ts'
import type { RawLimits, RawWebSocket, RawWebSocketHandler } from './raw-options.ts'
import { textOf } from './utf8.ts'
import { headerBytesFor, longestHeader, writeFrameHeader } from './writer.ts'
import { mask } from './mask.ts'

/** `send` answers false from here on: enough to keep a socket busy for a turn. */
const highWater = 256 * 1024

export interface RawSocketParts {
  readonly connection: Omit<ConnectionParts, 'options'>
  readonly role: 'server' | 'client'
  readonly limits: RawLimits
  readonly protocol: string
  readonly extensions: string
  readonly codec: MessageCodec | undefined
}

/** A message behind one that is being compressed. */
interface Waiting {
  readonly opcode: number
  readonly bytes: Uint8Array
}

export class RawSocket implements RawWebSocket, ConnectionOwner {
  readonly protocol: string
  readonly extensions: string
  private readonly connection: Connection
  private readonly limits: RawLimits
  private readonly masks: boolean
  private readonly codec: MessageCodec | undefined
  private handler: RawWebSocketHandler | undefined
  private needsDrain = false
  private flushes = false
  private waiting: Waiting[] | undefined
  private waitingBytes = 0
  private closeWith: { readonly code: number; readonly reason: string } | undefined

  constructor(parts: RawSocketParts) {
    const { role, limits, codec } = parts
    this.protocol = parts.protocol
    this.extensions = parts.extensions
    this.limits = limits
    this.masks = role === 'client'
    this.codec = codec
    const options = optionsOf(limits, role, codec !== undefined)
    this.connection = new Connection({ ...parts.connection, options })
  }

  get bufferedAmount(): number {
    return this.waitingBytes + this.connection.outbox.unsentBytes
  }

  get state(): 'open' | 'closing' | 'closed' {
    const { state } = this.connection
    return state === 'open' && this.closeWith !== undefined ? 'closing' : state
  }

  open(handler: RawWebSocketHandler): void {
    if (this.handler !== undefined) throw new Error('a WebSocket is opened once')
    this.handler = handler
    this.connection.open(this)
  }

  /** The connection's. */
  onMessage(buffer: Uint8Array, start: number, end: number): void {
    this.handler!.onMessage(new Uint8Array(buffer.buffer, buffer.byteOffset + start, end - start))
  }

  /** The connection's. */
  onText(text: string): void {
    this.handler!.onMessage(text)
  }

  /** The connection's. */
  onPing(payload: Uint8Array): void {
    this.handler!.onPing?.(payload)
  }

  /** The connection's. */
  onPong(payload: Uint8Array): void {
    this.handler!.onPong?.(payload)
  }

  send(message: string | Uint8Array): boolean {
    if (typeof message !== 'string' && !(message instanceof Uint8Array))
      throw new TypeError('a message is a string or a Uint8Array')
    if (this.state !== 'open') return false
    if (this.bufferedAmount > this.limits.maxUnsent) {
      this.connection.abort(new Error(`more than ${this.limits.maxUnsent} bytes wait to be sent`))
      return false
    }
    if (this.codec !== undefined) this.sendInOrder(this.codec, message)
    else if (typeof message === 'string') this.writeText(message)
    else this.writeBytes(Opcode.Binary, message)
    this.flushSoon()
    if (this.bufferedAmount < highWater) return true
    this.needsDrain = true
    return false
  }

  private writeText(text: string): void {
    const { length } = text
    // Three bytes a character at most.
    if (length * 3 > slabFrame) return this.writeBytes(Opcode.Text, Buffer.from(text))
    const { outbox } = this.connection
    const slab = outbox.room(longestHeader + length * 3)
    const { slabAt } = outbox
    // The header's size depends on the text's: for most lengths it is known without counting.
    const least = length > 41 && length < 126 ? Buffer.byteLength(text) : length
    const header = headerBytesFor(least, this.masks)
    const size = slab.write(text, slabAt + header)
    const key = this.connection.newKey()
    writeFrameHeader(slab, slabAt, Opcode.Text, size, key)
    const end = slabAt + header + size
    if (key !== undefined) mask(slab, slabAt + header, end, key)
    outbox.commit(end)
  }

  /** `opcode` may carry RSV1. */
  private writeBytes(opcode: number, bytes: Uint8Array): void {
    const { outbox } = this.connection
    const { length } = bytes
    if (this.masks) return writeMasked(outbox, opcode, bytes, 0, length)
    const header = headerBytesFor(length, false)
    const isSmall = length <= slabFrame
    const slab = outbox.room(isSmall ? header + length : header)
    const at = writeFrameHeader(slab, outbox.slabAt, opcode, length, undefined)
    if (isSmall) copySmall(slab, at, bytes)
    outbox.commit(isSmall ? at + length : at)
    if (!isSmall) outbox.add(bytes, 0, length)
  }

  private sendInOrder(codec: MessageCodec, message: string | Uint8Array): void {
    const isText = typeof message === 'string'
    const bytes = isText ? Buffer.from(message) : message
    const opcode = isText ? Opcode.Text : Opcode.Binary
    if (this.waiting === undefined && !codec.wants(bytes.length))
      return this.writeBytes(opcode, bytes)
    this.waitingBytes += bytes.length
    if (this.waiting !== undefined) {
      this.waiting.push({ opcode, bytes })
      return
    }
    this.waiting = []
    this.connection.setSending(true)
    this.encode(codec, opcode, bytes)
  }

  private encode(codec: MessageCodec, opcode: number, bytes: Uint8Array): void {
    codec.encode(bytes, (error, payload) => {
      if (!this.connection.sends) return
      if (error !== undefined) return this.connection.abort(error)
      this.waitingBytes -= bytes.length
      this.writeBytes(opcode | Bit.Rsv1, payload)
      this.sendWaiting(codec)
      this.flushSoon()
    })
  }

  /** Sends on up to the next message that is worth compressing. */
  private sendWaiting(codec: MessageCodec): void {
    for (let next = this.waiting?.shift(); next !== undefined; next = this.waiting?.shift()) {
      const { opcode, bytes } = next
      if (codec.wants(bytes.length)) return this.encode(codec, opcode, bytes)
      this.waitingBytes -= bytes.length
      this.writeBytes(opcode, bytes)
    }
    this.waiting = undefined
    this.connection.setSending(false)
    const { closeWith } = this
    if (closeWith !== undefined) this.connection.close(closeWith.code, closeWith.reason)
  }

  /** A message takes its time; those behind it are not looked at before it is delivered. */
  onCompressed(payload: Uint8Array, isText: boolean): void {
    const { connection } = this
    connection.setBusy(true)
    this.codec!.decode(payload, this.limits.maxMessage, (error, message) => {
      if (connection.state === 'closed') return
      connection.guard(() => {
        if (error !== undefined) throw error
        if (connection.delivers) {
          if (isText) this.onText(textOf(message, 0, message.length))
          else this.onMessage(message, 0, message.length)
        }
      })
      connection.setBusy(false)
    })
  }

  ping(payload: Uint8Array = new Uint8Array(0)): void {
    this.connection.ping(payload)
    this.flushSoon()
  }

  pause(): void {
    this.connection.pause()
  }

  resume(): void {
    this.connection.resume()
  }

  close(code: number = CloseCode.Normal, reason = ''): Promise<void> {
    if (!isCloseCode(code)) throw new RangeError(`${code} is no code that may be sent`)
    if (typeof reason !== 'string') throw new TypeError('a reason is a string')
    if (Buffer.byteLength(reason) > maxControlBytes - 2)
      throw new RangeError(`a reason has at most ${maxControlBytes - 2} bytes`)
    if (this.waiting === undefined) this.connection.close(code, reason)
    else this.closeWith ??= { code, reason }
    return this.connection.whenClosed()
  }

  abort(): void {
    this.connection.abort()
  }

  private flushSoon(): void {
    if (this.flushes) return
    this.flushes = true
    if (dirty.push(this) === 1) process.nextTick(flushAll)
  }

  /** The end of the turn. */
  flush(): void {
    this.flushes = false
    if (this.connection.state !== 'closed') this.connection.outbox.flush()
  }

  /** The connection's. */
  onDrain(): void {
    if (!this.needsDrain || this.waitingBytes > 0) return
    this.needsDrain = false
    this.handler!.onDrain?.()
  }

  /** The connection's. */
  onClose({ code, reason, wasClean, error }: ConnectionEnd): void {
    this.waiting = undefined
    this.waitingBytes = 0
    this.codec?.close()
    try {
      this.handler!.onClose({ code, reason, wasClean, ...(error === undefined ? {} : { error }) })
    } catch (thrown) {
      // There is nobody left to tell, and no connection to end.
      process.emitWarning(thrown instanceof Error ? thrown : String(thrown))
    }
  }
}

/** The last options made: the sockets of one server share them. */
let shared: { readonly limits: RawLimits; readonly options: ConnectionOptions } | undefined

function optionsOf(
  limits: RawLimits,
  role: 'server' | 'client',
  compressed: boolean,
): ConnectionOptions {
  const known = shared?.options
  if (shared?.limits === limits && known?.role === role && known.compressed === compressed)
    return known
  const { maxMessage, maxFragments, closeTimeoutMs } = limits
  const options = { role, maxMessage, maxFragments, closeTimeoutMs, text: true, compressed }
  shared = { limits, options }
  return options
}

/** Sockets that have something to flush: one entry of the queue of ticks for all of them. */
let dirty: RawSocket[] = []

function flushAll(): void {
  const sockets = dirty
  dirty = []
  for (const socket of sockets) socket.flush()
}

/** Short payloads in a loop: the call of `set` costs more. */
function copySmall(target: Uint8Array, at: number, source: Uint8Array): void {
  const { length } = source
  if (length > 48) return target.set(source, at)
  for (let index = 0; index < length; index += 1) target[at + index] = source[index]!
}
