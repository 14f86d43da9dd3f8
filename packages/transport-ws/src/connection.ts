// One WebSocket of either role on a socket that has been upgraded: RFC 6455, sections 5 to 7.
//   in  -> bytes of the socket; frames to send
//   out -> messages and control frames; frames in one write a turn; one final close
// Both the RPC link and the message-level API stand on it. It knows nothing of either.

import type { Duplex } from 'node:stream'
import {
  CloseCode,
  isCloseCode,
  maxControlBytes,
  Opcode,
  protocolError,
  WebSocketError,
} from './opcode.ts'
import { newMaskKey } from './mask-keys.ts'
import { Outbox, type OutboxOwner } from './outbox.ts'
import { Parser, type ParserHandler, type ParserOptions } from './parser.ts'
import { textOf } from './utf8.ts'
import { closeFrame, controlFrame } from './writer.ts'

/** What still comes after a close frame or a broken rule is read and dropped up to here. */
const maxAfterClose = 64 * 1024
/** Pongs that may leave in one turn, in bytes; while the peer does not read, it is one pong. */
const maxPongBytes = 4 * 1024

export interface ConnectionOptions extends ParserOptions {
  /** How long a close waits for the peer before the socket is destroyed. */
  readonly closeTimeoutMs: number
  /** How long a message may take from its first byte to its last; absent: for ever. */
  readonly messageTimeoutMs?: number | undefined
  /** Pings in a row that are answered; one more each second. Absent: no limit. */
  readonly maxPings?: number | undefined
}

/** How it ended. */
export interface ConnectionEnd {
  /** Of the peer's close frame, or the one sent for a rule that it broke; 1005 and 1006 as in section 7.1.5. */
  readonly code: number
  /** The peer's words, or the rule that it broke. */
  readonly reason: string
  /** Both sides have sent a close frame, and no rule was broken. */
  readonly wasClean: boolean
  /** What went wrong, if anything; its message never holds payload. */
  readonly error: unknown
}

export interface ConnectionOwner {
  onMessage(buffer: Uint8Array, start: number, end: number): void
  onText?(text: string): void
  onCompressed?(payload: Uint8Array, isText: boolean): void
  onPing?(payload: Uint8Array): void
  onPong?(payload: Uint8Array): void
  /** Everything sent has left. */
  onDrain(): void
  /** Once. Nothing is called after it. */
  onClose(end: ConnectionEnd): void
}

export interface ConnectionParts {
  readonly socket: Duplex
  /** Bytes that came with the upgrade. */
  readonly head: Uint8Array
  readonly options: ConnectionOptions
}

/** Thousands may be idle: there are no closures here that each of them would have to hold. */
export class Connection implements ParserHandler, OutboxOwner {
  readonly outbox: Outbox
  private readonly socket: Duplex
  private readonly options: ConnectionOptions
  private readonly parser: Parser
  private head: Uint8Array | undefined
  private owner: ConnectionOwner | undefined
  private phase: 'open' | 'closing' | 'closed' = 'open'
  // The close handshake.
  private closeSent = false
  private closeReceived = false
  private failed = false
  private ended = false
  private code: number = CloseCode.Abnormal
  private reason = ''
  private error: unknown
  private afterClose = 0
  private closeTimer: ReturnType<typeof setTimeout> | undefined
  private closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  // Delivery: stopped by the owner, or by a message that is still being worked on.
  private paused = false
  private busy = false
  // Sending: messages that the owner has taken and is still working on.
  private sending = false
  // Pings.
  private pong: Uint8Array | undefined
  private pongBytes = 0
  private pings: PingBudget | undefined
  // The message that takes its time.
  private messageTimer: ReturnType<typeof setTimeout> | undefined
  private messagesDone = 0

  constructor({ socket, head, options }: ConnectionParts) {
    this.socket = socket
    this.head = head.length > 0 ? head : undefined
    this.options = options
    this.outbox = new Outbox(socket, this)
    this.parser = new Parser(options, this)
    // A peer's FIN must not end our side while messages before it are still being worked on.
    socket.allowHalfOpen = true
    const known: Known = socket
    known[connectionOf] = this
    socket.on('error', onSocketError)
    socket.on('close', onSocketClose)
    // Without unread bytes the end is told even while paused, so also before `open`.
    socket.on('end', onSocketEnd)
    socket.pause()
  }

  get state(): 'open' | 'closing' | 'closed' {
    return this.phase
  }

  /** Begins delivery, once. */
  open(owner: ConnectionOwner): void {
    if (this.owner !== undefined) throw new Error('a connection is opened once')
    this.owner = owner
    if (this.phase === 'closed') return this.report()
    this.socket.on('data', onSocketData)
    const { head } = this
    this.head = undefined
    if (head !== undefined) this.onData(head)
    if (!this.paused) this.socket.resume()
    if (this.ended) this.onEnd()
  }

  /** Settles when the socket is gone. */
  whenClosed(): Promise<void> {
    if (this.phase === 'closed') return Promise.resolve()
    if (this.closed === undefined) {
      let resolve = (): void => undefined
      const promise = new Promise<void>((settle) => {
        resolve = settle
      })
      this.closed = { promise, resolve }
    }
    return this.closed.promise
  }

  /** A key for the next frame; undefined on a server. */
  newKey(): number | undefined {
    return this.options.role === 'client' ? newMaskKey() : undefined
  }

  pause(): void {
    this.paused = true
    this.applyPause()
  }

  resume(): void {
    this.paused = false
    this.applyPause()
  }

  /** The next message waits until this one, which takes time, is done. Independent of `pause`. */
  setBusy(busy: boolean): void {
    this.busy = busy
    this.applyPause()
  }

  /** After a close of ours, messages that the owner did not want to read yet are dropped. */
  get delivers(): boolean {
    return (
      this.phase === 'open' || (this.phase === 'closing' && !this.paused && !this.closeReceived)
    )
  }

  private applyPause(): void {
    if (this.phase === 'closed' || this.failed) return
    // The answer to our close must be read, even if the owner has paused.
    if (this.busy || (this.paused && this.phase === 'open')) {
      this.parser.pause()
      this.socket.pause()
      return
    }
    this.guard(() => this.parser.resume())
    if (this.busy || (this.paused && this.phase === 'open')) return
    // Closed before it was opened: nobody wants the bytes, but the end must be seen.
    if (this.owner !== undefined || this.phase === 'closing') this.socket.resume()
    if (this.ended) this.onEnd()
  }

  /** Runs the owner's code, or the parser: a broken rule gets a close frame with its code. */
  guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (error instanceof WebSocketError) this.fail(error)
      else this.abort(error)
    }
  }

  /** The parser's. */
  onMessage(buffer: Uint8Array, start: number, end: number): void {
    this.messagesDone += 1
    if (this.delivers) this.owner!.onMessage(buffer, start, end)
  }

  /** The parser's. */
  onText(text: string): void {
    this.messagesDone += 1
    if (this.delivers) this.owner!.onText?.(text)
  }

  /** The parser's. */
  onCompressed(payload: Uint8Array, isText: boolean): void {
    this.messagesDone += 1
    if (this.delivers) this.owner!.onCompressed?.(payload, isText)
  }

  /** The socket's. */
  onError(error: unknown): void {
    this.error ??= error
  }

  /** The socket's. */
  onData(chunk: Uint8Array): void {
    if (this.failed || this.closeReceived) {
      this.afterClose += chunk.length
      if (this.afterClose > maxAfterClose) this.socket.destroy()
      return
    }
    try {
      this.parser.push(chunk)
    } catch (error) {
      if (error instanceof WebSocketError) this.fail(error)
      else this.abort(error)
    }
    if (this.options.messageTimeoutMs !== undefined && this.parser.pending) this.watchMessage()
  }

  /** One timer, looked at again when it fires: most messages are done long before. */
  private watchMessage(): void {
    const { messageTimeoutMs } = this.options
    if (this.messageTimer !== undefined || messageTimeoutMs === undefined) return
    const done = this.messagesDone
    this.messageTimer = setTimeout(() => {
      this.messageTimer = undefined
      if (this.phase !== 'open' || !this.parser.pending) return
      if (this.messagesDone !== done || this.paused) return this.watchMessage()
      this.fail(
        new WebSocketError(
          CloseCode.PolicyViolation,
          `a message not complete after ${messageTimeoutMs} ms`,
          'frameMs',
        ),
      )
    }, messageTimeoutMs).unref()
  }

  /** The parser's. */
  onControl(opcode: number, payload: Uint8Array): void {
    if (this.closeReceived || this.phase === 'closed') return
    if (opcode === Opcode.Close) return this.onCloseFrame(payload)
    if (opcode === Opcode.Pong) return this.owner!.onPong?.(payload)
    this.onPing(payload)
    this.owner!.onPing?.(payload)
  }

  /** Section 5.5.3 allows to answer only the latest ping: pongs must not pile up. */
  private onPing(payload: Uint8Array): void {
    if (this.phase !== 'open') return
    const { maxPings } = this.options
    if (maxPings !== undefined) (this.pings ??= new PingBudget(maxPings)).spend()
    if (this.outbox.blocked || this.pongBytes > maxPongBytes) {
      this.pong = payload
      return
    }
    this.sendPong(payload)
  }

  private sendPong(payload: Uint8Array): void {
    const frame = controlFrame(Opcode.Pong, payload, this.newKey())
    // Only what comes in one chunk counts: at its end everything leaves.
    if (this.pongBytes === 0) process.nextTick(() => this.endTurnOfPongs())
    this.pongBytes += frame.length
    this.outbox.add(frame, 0, frame.length)
  }

  private endTurnOfPongs(): void {
    this.pongBytes = 0
    if (this.phase === 'open') this.outbox.flush()
    this.sendLatePong()
  }

  /** The pong that waited until what was sent before has been read. */
  private sendLatePong(): void {
    const { pong } = this
    if (pong === undefined || this.phase !== 'open' || this.outbox.blocked) return
    this.pong = undefined
    this.sendPong(pong)
  }

  /** The outbox's. */
  onEmpty(): void {
    this.sendLatePong()
    if (this.phase !== 'closed' && this.owner !== undefined) this.guard(() => this.owner!.onDrain())
  }

  /** Section 5.5.2. Throws RangeError over 125 bytes. Leaves at the end of the turn. */
  ping(payload: Uint8Array): void {
    if (payload.length > maxControlBytes)
      throw new RangeError(`a ping holds at most ${maxControlBytes} bytes`)
    if (this.phase !== 'open') return
    const frame = controlFrame(Opcode.Ping, payload, this.newKey())
    this.outbox.add(frame, 0, frame.length)
  }

  /** Section 7.1.2: a close frame each way, then the server closes the socket. Idempotent. */
  close(code: number, reason = ''): void {
    if (this.phase !== 'open') return
    this.phase = 'closing'
    this.sendClose(code, reason)
    this.outbox.flush()
    this.waitForClose()
    this.applyPause()
  }

  private sendClose(code: number, reason = ''): void {
    this.closeSent = true
    const frame = closeFrame(code, this.newKey(), reason)
    this.outbox.add(frame, 0, frame.length)
  }

  /** From now on the socket has `closeTimeoutMs` to go. */
  private waitForClose(): void {
    this.closeTimer ??= setTimeout(() => this.socket.destroy(), this.options.closeTimeoutMs).unref()
  }

  private onCloseFrame(payload: Uint8Array): void {
    const { code, reason } = closeOf(payload)
    this.closeReceived = true
    this.code = code
    this.reason = reason
    this.phase = 'closing'
    this.waitForClose()
    if (!this.sending) this.answerClose()
    // What follows is dropped, but read: unread bytes would turn our close frame into a reset.
    this.parser.stop()
    this.socket.resume()
  }

  /** Section 5.5.1: the answer may wait for what was sent before it. */
  private answerClose(): void {
    if (!this.closeSent) this.sendClose(this.code)
    // Section 7.1.1: the server closes first. A client that waits for it gives it the time.
    if (this.options.role === 'server' || this.ended) this.outbox.end()
    else this.outbox.flush()
  }

  /** While the owner works on messages that it has taken, a close of the peer is not answered. */
  setSending(sending: boolean): void {
    this.sending = sending
    if (!sending && this.answerWaits) this.answerClose()
  }

  /** Whether frames may still be added: also those that the answer to a close waits for. */
  get sends(): boolean {
    return this.phase === 'open' || (this.sending && this.answerWaits)
  }

  private get answerWaits(): boolean {
    return this.closeReceived && !this.closeSent && !this.failed && this.phase === 'closing'
  }

  /** Section 7.1.7: a rule was broken. */
  fail(error: WebSocketError): void {
    if (this.failed || this.phase === 'closed') return
    this.failed = true
    this.error ??= error
    if (!this.closeReceived) {
      this.code = error.code
      this.reason = error.message
    }
    if (!this.closeSent) this.sendClose(error.code, error.message)
    this.phase = 'closing'
    this.waitForClose()
    // What still comes cannot be understood.
    this.parser.stop()
    this.outbox.end()
    this.socket.resume()
  }

  /** Destroys the socket now; unsent bytes are lost. */
  abort(error?: unknown): void {
    if (this.phase === 'closed') return
    this.error ??= error
    this.phase = 'closing'
    this.parser.stop()
    this.socket.destroy()
  }

  /** The socket's: the peer sends no more (TCP FIN). */
  onEnd(): void {
    this.ended = true
    if (this.owner === undefined && this.phase === 'open') return
    // It may have said goodbye in what is not parsed yet.
    if (this.phase === 'closed' || this.busy || this.parser.holding) return
    if (this.sending && this.answerWaits) return
    if (!this.closeReceived) this.error ??= new Error('the peer ended without a close frame')
    this.phase = this.phase === 'open' ? 'closing' : this.phase
    this.outbox.end()
    // Nothing more can come; what is unsent may take its time until the close timeout.
    this.waitForClose()
  }

  /** The socket's. */
  onGone(): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    clearTimeout(this.closeTimer)
    clearTimeout(this.messageTimer)
    this.parser.stop()
    this.outbox.clear()
    if (this.owner !== undefined) this.report()
    this.closed?.resolve()
  }

  private report(): void {
    const { code, reason, error } = this
    const wasClean = this.closeSent && this.closeReceived && !this.failed
    this.owner!.onClose({ code, reason, wasClean, error })
  }
}

/** So many at once, one more each second. */
class PingBudget {
  private readonly most: number
  private left: number
  private at = performance.now()

  constructor(most: number) {
    this.most = most
    this.left = most
  }

  spend(): void {
    const now = performance.now()
    this.left = Math.min(this.most, this.left + (now - this.at) / 1_000) - 1
    this.at = now
    if (this.left < 0)
      throw new WebSocketError(CloseCode.PolicyViolation, 'too many pings', 'pingBurst')
  }
}

/** How a socket finds its connection: one function for all of them listens. */
const connectionOf: unique symbol = Symbol('callbox.connection')

type Known = Duplex & { [connectionOf]?: Connection }

function onSocketData(this: Known, chunk: Uint8Array): void {
  this[connectionOf]!.onData(chunk)
}

function onSocketError(this: Known, error: Error): void {
  this[connectionOf]!.onError(error)
}

function onSocketEnd(this: Known): void {
  this[connectionOf]!.onEnd()
}

function onSocketClose(this: Known): void {
  this[connectionOf]!.onGone()
}

/** Throws WebSocketError for a close frame that section 5.5.1 does not allow. */
function closeOf(payload: Uint8Array): { readonly code: number; readonly reason: string } {
  if (payload.length === 0) return { code: CloseCode.NoStatus, reason: '' }
  if (payload.length === 1) throw protocolError('a close frame of one byte')
  const code = (payload[0]! << 8) | payload[1]!
  if (!isCloseCode(code)) throw protocolError('a close code that may not be sent')
  return { code, reason: textOf(payload, 2, payload.length) }
}
