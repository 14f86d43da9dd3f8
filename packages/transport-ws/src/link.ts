// A WebSocket on a socket of Node as a link: one binary message per frame, one write per flush.
//   in  -> frames of the session; bytes of the socket after the upgrade
//   out -> WebSocket frames; whole frames
// A server's header fits in the room in front of every frame, so nothing is copied. A client masks,
// and must give the bytes back unchanged: it masks a copy.

import {
  frameRoom,
  type Link,
  type LinkClose,
  type LinkHandler,
  type Peer,
} from '@callbox/core/internal'
import { randomFillSync } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { mask } from './mask.ts'
import { CloseCode, isCloseCode, Opcode, WebSocketError } from './opcode.ts'
import { Parser } from './parser.ts'
import { closeFrame, controlFrame, headerBytesFor, writeFrameHeader } from './writer.ts'

/** How long a polite close waits for the peer before the socket is destroyed. */
const closeTimeoutMs = 1_000
/** A peer that sends pings and never reads holds at most this much of our memory. */
const maxUnsentForPong = 64 * 1024
/** A Callbox frame over more WebSocket frames than this is not honest. */
const maxFragments = 1_024

export interface LinkParts {
  readonly socket: Duplex
  readonly role: 'server' | 'client'
  readonly peer: Peer
  readonly maxFrame: number
  /** Bytes that came with the upgrade. */
  readonly head: Uint8Array
}

export class WebSocketLink implements Link {
  readonly batches = true
  readonly peer: Peer
  private readonly socket: Duplex
  private readonly role: 'server' | 'client'
  private readonly parser: Parser
  private readonly keys = new MaskKeys()
  private head: Uint8Array | undefined
  private handler: LinkHandler | undefined
  private chunks: Uint8Array[] = []
  /** The last chunk as a range that may still grow: frames that lie behind each other. */
  private range: { buffer: Uint8Array; start: number; end: number } | undefined
  private pendingBytes = 0
  private needsDrain = false
  private state: 'open' | 'closing' | 'closed' = 'open'
  private closeSent = false
  private closeReceived = false
  private ended = false
  private error: unknown
  private reason = ''
  private closeTimer: ReturnType<typeof setTimeout> | undefined
  private readonly whenClosed: Promise<void>
  private onGone: () => void = () => undefined

  constructor({ socket, role, peer, maxFrame, head }: LinkParts) {
    this.socket = socket
    this.role = role
    this.peer = peer
    this.head = head
    this.whenClosed = new Promise((resolve) => {
      this.onGone = resolve
    })
    this.parser = new Parser(
      { role, maxMessage: maxFrame, maxFragments },
      {
        onMessage: (buffer, start, end) => {
          if (this.state !== 'closed' && !this.closeReceived && !socket.destroyed)
            this.handler?.onFrame(buffer, start, end)
        },
        onControl: (opcode, payload) => this.onControl(opcode, payload),
      },
    )
    socket.on('error', (error) => {
      this.error ??= error
    })
    socket.on('close', () => this.onClose())
    // Without unread bytes the end is told even while paused, so also before `open`.
    socket.on('end', () => {
      this.ended = true
      if (this.handler !== undefined) this.onEnd()
    })
    socket.pause()
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    if (this.state === 'closed') return this.report()
    this.socket.on('data', (chunk: Buffer) => this.guarded(() => this.parser.push(chunk)))
    this.socket.on('drain', () => this.onDrain())
    const { head } = this
    this.head = undefined
    if (head !== undefined && head.length > 0) this.guarded(() => this.parser.push(head))
    this.socket.resume()
    if (this.ended) this.onEnd()
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    const size = end - start
    if (this.role === 'client') return this.writeMasked(buffer, start, end)
    const header = headerBytesFor(size, false)
    if (header > frameRoom) {
      const long = new Uint8Array(header)
      writeFrameHeader(long, 0, Opcode.Binary, size, undefined)
      this.add(long, 0, header)
      return this.add(buffer, start, end)
    }
    writeFrameHeader(buffer, start - header, Opcode.Binary, size, undefined)
    this.add(buffer, start - header, end)
  }

  private writeMasked(buffer: Uint8Array, start: number, end: number): void {
    const size = end - start
    const header = headerBytesFor(size, true)
    const key = this.keys.next()
    // From the pool of Node, which is not zeroed: every byte is written below.
    const frame = Buffer.allocUnsafe(header + size)
    writeFrameHeader(frame, 0, Opcode.Binary, size, key)
    frame.set(buffer.subarray(start, end), header)
    mask(frame, header, frame.length, key)
    this.add(frame, 0, frame.length)
  }

  private add(buffer: Uint8Array, start: number, end: number): void {
    this.pendingBytes += end - start
    const { range: last } = this
    if (last !== undefined && last.buffer === buffer && last.end === start) {
      last.end = end
      return
    }
    this.closeRange()
    this.range = { buffer, start, end }
  }

  private closeRange(): void {
    const { range } = this
    if (range === undefined) return
    this.range = undefined
    const { buffer, start, end } = range
    this.chunks.push(new Uint8Array(buffer.buffer, buffer.byteOffset + start, end - start))
  }

  flush(): void {
    if (this.state === 'closed') return
    this.closeRange()
    const { chunks, socket } = this
    if (chunks.length === 0) return
    this.chunks = []
    const bytes = this.pendingBytes
    this.pendingBytes = 0
    this.needsDrain = true
    if (chunks.length === 1) socket.write(chunks[0]!, this.onTaken)
    else if (bytes <= 64 * 1024) {
      // One copy of small frames costs less than one more entry of `writev` each.
      socket.write(Buffer.concat(chunks, bytes), this.onTaken)
    } else {
      socket.cork()
      for (const chunk of chunks) socket.write(chunk, this.onTaken)
      socket.uncork()
    }
  }

  private readonly onTaken = (): void => {
    if (this.needsDrain && this.unsentBytes === 0) this.onDrain()
  }

  private onDrain(): void {
    if (this.state === 'closed' || !this.needsDrain) return
    this.needsDrain = this.unsentBytes > 0
    this.guarded(() => this.handler?.onDrain())
  }

  get unsentBytes(): number {
    return this.pendingBytes + this.socket.writableLength
  }

  pause(): void {
    this.parser.pause()
    this.socket.pause()
  }

  resume(): void {
    this.guarded(() => this.parser.resume())
    if (this.state !== 'closed') this.socket.resume()
  }

  async close(): Promise<void> {
    this.startClose(CloseCode.Normal)
    await this.whenClosed
  }

  abort(reason = ''): void {
    if (this.state === 'closed') return
    this.reason ||= reason
    this.state = 'closing'
    this.socket.destroy()
  }

  /** Section 7.1: a close frame each way, then the server closes the socket. */
  private startClose(code: number): void {
    if (this.state !== 'open') return
    this.flush()
    this.state = 'closing'
    this.sendClose(code)
    this.closeTimer = setTimeout(() => this.socket.destroy(), closeTimeoutMs)
    this.closeTimer.unref()
    // The answer to our close must be read, even if the owner has paused.
    this.socket.resume()
    if (this.closeReceived && this.role === 'server') this.socket.end()
  }

  private sendClose(code: number): void {
    if (this.closeSent) return
    this.closeSent = true
    this.socket.write(closeFrame(code, this.role === 'client' ? this.keys.next() : undefined))
  }

  private onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.Ping) return this.onPing(payload)
    if (opcode === Opcode.Close) this.onCloseFrame(payload)
  }

  /** Only while what was sent gets read: pongs must not pile up. */
  private onPing(payload: Uint8Array): void {
    if (this.state !== 'open' || this.unsentBytes > maxUnsentForPong) return
    this.socket.write(
      controlFrame(Opcode.Pong, payload, this.role === 'client' ? this.keys.next() : undefined),
    )
  }

  private onCloseFrame(payload: Uint8Array): void {
    const code = closeCodeOf(payload)
    this.closeReceived = true
    if (code !== CloseCode.Normal && code !== CloseCode.NoStatus && code !== CloseCode.GoingAway)
      this.reason ||= `closed with ${code}`
    if (this.state === 'open')
      this.startClose(code === CloseCode.NoStatus ? CloseCode.Normal : code)
    else if (this.role === 'server') this.socket.end()
  }

  private onEnd(): void {
    if (!this.closeReceived) this.error ??= new Error('the peer ended without a close frame')
    this.socket.end()
    // Nothing more can come; what is unsent may take its time until the close timeout.
    this.closeTimer ??= setTimeout(() => this.socket.destroy(), closeTimeoutMs).unref()
  }

  private onClose(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    clearTimeout(this.closeTimer)
    this.chunks = []
    this.range = undefined
    if (this.handler !== undefined) this.report()
    this.onGone()
  }

  private report(): void {
    const { error } = this
    const close: LinkClose = {
      clean: this.closeReceived && this.reason === '',
      reason: this.reason || (error === undefined ? '' : textOf(error)),
      ...(error === undefined ? {} : { error }),
    }
    this.handler?.onClose(close)
  }

  /** A broken rule gets a close frame with its code; anything else costs the link. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.error ??= error
      this.reason ||= textOf(error)
      if (!(error instanceof WebSocketError)) return this.abort()
      this.parser.pause()
      this.startClose(error.code)
      // What still comes cannot be understood.
      this.socket.removeAllListeners('data')
      this.socket.resume()
      this.socket.end()
    }
  }
}

/** Throws WebSocketError for a close frame that section 5.5.1 does not allow. */
function closeCodeOf(payload: Uint8Array): number {
  if (payload.length === 0) return CloseCode.NoStatus
  if (payload.length === 1)
    throw new WebSocketError(CloseCode.ProtocolError, 'a close frame of one byte')
  const code = (payload[0]! << 8) | payload[1]!
  if (!isCloseCode(code))
    throw new WebSocketError(CloseCode.ProtocolError, 'a close code that may not be sent')
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(2))
  } catch {
    throw new WebSocketError(CloseCode.InvalidPayload, 'a close reason that is not UTF-8')
  }
  return code
}

/** Fresh, unpredictable keys (section 10.3), drawn from the system a block at a time. */
class MaskKeys {
  private readonly block = new Uint32Array(256)
  private nextAt = 256

  next(): number {
    if (this.nextAt === this.block.length) {
      randomFillSync(this.block)
      this.nextAt = 0
    }
    const key = this.block[this.nextAt]!
    this.nextAt += 1
    return key
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
