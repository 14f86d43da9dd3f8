// A WebSocket on a socket of Node as a link: one binary message per frame, one write per flush.
//   in  -> frames of the session; messages of the connection
//   out -> WebSocket frames; whole frames
// A server's header fits in the room in front of every frame, so nothing is copied. A client masks,
// and must give the bytes back unchanged: it masks a copy.

import {
  frameRoom,
  type Link,
  type LinkClose,
  type LinkHandler,
  type LinkLimits,
  type ListenOptions,
  type Peer,
} from '@callbox/core/internal'
import type { Duplex } from 'node:stream'
import { Connection, type ConnectionEnd, type ConnectionOwner } from './connection.ts'
import { writeMasked } from './masked.ts'
import { CloseCode, Opcode, WebSocketError } from './opcode.ts'
import { headerBytesFor, writeFrameHeader } from './writer.ts'

/** How long a polite close waits for the peer before the socket is destroyed. */
const closeTimeoutMs = 1_000

export interface LinkParts {
  readonly socket: Duplex
  readonly role: 'server' | 'client'
  readonly peer: Peer
  readonly limits: LinkLimits & Pick<ListenOptions, 'maxFirstFrame'>
  /** Bytes that came with the upgrade. */
  readonly head: Uint8Array
}

export class WebSocketLink implements Link, ConnectionOwner {
  readonly batches = true
  readonly peer: Peer
  private readonly role: 'server' | 'client'
  private readonly connection: Connection
  private handler: LinkHandler | undefined
  private needsDrain = false
  private reason = ''

  constructor({ socket, role, peer, limits, head }: LinkParts) {
    this.role = role
    this.peer = peer
    this.connection = new Connection({
      socket,
      head,
      options: {
        role,
        maxMessage: limits.maxFrame,
        maxFirst: limits.maxFirstFrame,
        maxFragments: limits.maxFragments ?? Infinity,
        closeTimeoutMs,
        messageTimeoutMs: limits.frameMs,
        maxPings: limits.pingBurst,
      },
    })
  }

  open(handler: LinkHandler): void {
    this.handler = handler
    this.connection.open(this)
  }

  /** The connection's. */
  onMessage(buffer: Uint8Array, start: number, end: number): void {
    this.handler!.onFrame(buffer, start, end)
  }

  /** The connection's. */
  onDrain(): void {
    if (!this.needsDrain) return
    this.needsDrain = false
    this.handler!.onDrain()
  }

  /** The connection's. */
  onClose(end: ConnectionEnd): void {
    this.handler!.onClose(this.closeOf(end))
  }

  write(buffer: Uint8Array, start: number, end: number): void {
    const { connection } = this
    if (connection.state !== 'open') return
    const size = end - start
    const { outbox } = connection
    if (this.role === 'client') return writeMasked(outbox, Opcode.Binary, buffer, start, end)
    const header = headerBytesFor(size, false)
    if (header > frameRoom) {
      const long = new Uint8Array(header)
      writeFrameHeader(long, 0, Opcode.Binary, size, undefined)
      outbox.add(long, 0, header)
      return outbox.add(buffer, start, end)
    }
    writeFrameHeader(buffer, start - header, Opcode.Binary, size, undefined)
    outbox.add(buffer, start - header, end)
  }

  flush(): void {
    if (this.connection.state === 'closed') return
    this.needsDrain = this.needsDrain || this.unsentBytes > 0
    this.connection.outbox.flush()
  }

  get unsentBytes(): number {
    return this.connection.outbox.unsentBytes
  }

  pause(): void {
    this.connection.pause()
  }

  resume(): void {
    this.connection.resume()
  }

  async close(): Promise<void> {
    this.connection.close(CloseCode.Normal)
    await this.connection.whenClosed()
  }

  abort(reason = ''): void {
    this.reason ||= reason
    this.connection.abort()
  }

  private closeOf({ code, wasClean, error }: ConnectionEnd): LinkClose {
    const usual =
      code === CloseCode.Normal || code === CloseCode.NoStatus || code === CloseCode.GoingAway
    const { reason: own } = this
    const reason =
      own || (error !== undefined ? textOf(error) : wasClean && !usual ? `closed with ${code}` : '')
    const clean = wasClean && reason === ''
    if (error === undefined) return { clean, reason }
    const limit = error instanceof WebSocketError ? error.limit : undefined
    if (limit === undefined) return { clean, reason, error }
    return { clean, reason: `over limits.${limit}: ${reason}`, error, limit }
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
