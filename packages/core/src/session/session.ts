// A session: one peer, spoken to over a link, as an ordered pipe of stream frames.
//   in  -> frames of the link; frames and outlets of the call layer
//   out -> stream frames to the call layer, one end with its reason
// Answers connection frames by itself and counts what it receives; what it sends is in `outflow.ts`.
// Knows nothing of calls. One link for its whole life so far: it ends with its link.

import type { Clock } from '../base/clock.ts'
import { ConnectionError, codeOf, protocolError, type Code } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import { Timer, type Timers } from '../base/timers.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { encodeValue } from '../codec/msgpack.ts'
import { readBatch } from '../frames/batch.ts'
import {
  ackFrame,
  goAwayFrame,
  limitsFrame,
  pingFrame,
  requireConnectionScope,
  type Frame,
} from '../frames/fields.ts'
import { checkHeader, firstStreamType, FrameType, headerBytes, readU32 } from '../frames/frame.ts'
import type { Link, LinkClose } from '../link/link.ts'
import { decodeMap, readLimits, type PeerLimits } from './handshake.ts'
import type { KeepaliveTerms } from './keepalive.ts'
import { Ledger } from './ledger.ts'
import { Liveness, type OnRoundTrip } from './liveness.ts'
import type { Memory, MemoryMember } from './memory.ts'
import { Outflow } from './outflow.ts'
import type { RoundTrip } from './round-trip.ts'
import type { Outlet, Readiness } from './send-queue.ts'

/** Why a session is over. */
export interface SessionEnd {
  /** `session_lost` if the link died, `unavailable` after an orderly close, else what was broken. */
  readonly code: Code
  /** Safe to show and to log. */
  readonly reason: string
  /** The highest call of ours that the peer has accepted, if it said so in its GOAWAY. */
  readonly lastAcceptedId: number | undefined
  /** True if the peer ended it. */
  readonly byPeer: boolean
  readonly cause?: unknown
}

/** The layer above. */
export interface SessionOwner {
  /** Highest stream id of a REQUEST received, 0 for none. */
  readonly lastAcceptedId: number
  /** One stream frame, its header checked; `buffer[start, end)` is borrowed until this returns. */
  onFrame(buffer: Uint8Array, start: number, end: number): void
  /** The link takes frames again. */
  onWritable(): void
  /** The peer accepts no further calls; what runs may finish. */
  onDrain(lastAcceptedId: number, reconnectAfterMs: number | undefined): void
  /** The peer has changed its receive limits. */
  onLimits(limits: Partial<PeerLimits>): void
  /** Called once, last. */
  onEnd(end: SessionEnd): void
}

/** What happens before the handshake is through. */
export interface Opening {
  /** Every frame until `open` is called; throws ConnectionError to refuse. */
  onFrame(buffer: Uint8Array, start: number, end: number): void
  onEnd(end: SessionEnd): void
}

/** What every session of one client or server shares. */
export interface SessionRuntime {
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Limits
  readonly memory: Memory
  readonly metrics?: Metrics | undefined
}

export interface SessionParts {
  readonly link: Link
  readonly runtime: SessionRuntime
  /** The server's side asks after silence. */
  readonly role: 'client' | 'server'
}

type State = 'opening' | 'open' | 'ended'

/** Of PINGs, and of AUTH, LIMITS and tiny CREDIT together: so many come back each second. */
const controlPerSecond = 1

export class Session implements MemoryMember {
  state: State = 'opening'
  readonly link: Link
  readonly ledger: Ledger
  private readonly out: Outflow
  private readonly liveness: Liveness
  private readonly runtime: SessionRuntime
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limits: Limits
  private opening: Opening | undefined
  private owner: SessionOwner | undefined
  private received = 0
  private owedAckBytes = 0
  private readonly pings: TokenBucket
  private readonly controls: TokenBucket
  private reading = true
  private draining = false
  private readonly ackTimer = new Timer(() => this.sendAck())

  constructor(parts: SessionParts, opening: Opening) {
    const { link, runtime, role } = parts
    const { clock, timers, limits, memory } = runtime
    this.link = link
    this.runtime = runtime
    this.clock = clock
    this.timers = timers
    this.limits = limits
    this.opening = opening
    this.ledger = new Ledger(memory)
    this.liveness = new Liveness(
      { clock, timers, metrics: runtime.metrics, role },
      {
        sendPing: (nonce) => this.writeConnection(pingFrame(FrameType.Ping, nonce, this.received)),
        onSilent: () => this.onSilent(),
      },
    )
    this.out = new Outflow(
      { link, clock, timers, limits, ledger: this.ledger },
      {
        guarded: (work) => this.guarded(work),
        onFirstOfTurn: () => this.liveness.askAfterSilence(),
        onWritable: () => this.owner?.onWritable(),
        onSlow: (limit, reason) => this.exceed(limit, `slow_consumer: ${reason}`),
      },
    )
    const now = clock.now()
    this.pings = new TokenBucket(limits.pingBurst, controlPerSecond, now)
    this.controls = new TokenBucket(limits.controlBudget, controlPerSecond, now)
    memory.join(this)
    link.open({
      onFrame: (buffer, start, end) => this.receive(buffer, start, end),
      onDrain: () => this.out.resume(),
      // Before HELLO it is a stranger, who would not understand.
      onViolation: (error) =>
        this.state === 'opening' ? link.abort(error.reason) : this.fail(error),
      onClose: (close) => this.onClose(close),
    })
  }

  /** The handshake is through: stream frames may flow. */
  open(owner: SessionOwner, keepalive: KeepaliveTerms): void {
    if (this.state !== 'opening') return
    this.state = 'open'
    this.out.open = true
    this.owner = owner
    this.opening = undefined
    this.liveness.open(keepalive)
  }

  get roundTrip(): RoundTrip {
    return this.liveness.roundTrip
  }

  // Sending

  /** Whether a frame may go to the link now without passing another that waits. */
  get ready(): boolean {
    return this.out.ready
  }

  /** Bytes of messages that have credit and wait only for the socket. */
  get readyBytes(): number {
    return this.out.readyBytes
  }

  /** Bytes that the link has and has not sent. */
  get unsent(): number {
    return this.out.unsent
  }

  /** Outlets that wait for their turn. */
  get queued(): number {
    return this.out.queue.length
  }

  /** Sends a stream frame: it gets its position here. The buffer must not change afterwards. */
  writeFrame(buffer: Uint8Array, start: number, end: number): void {
    this.out.writeFrame(buffer, start, end)
  }

  /** The same for a frame of its own: CANCEL, CREDIT, END, ERROR. */
  writeStream(frame: Frame): void {
    this.out.writeFrame(frame.buffer, frame.start, frame.end)
  }

  /** Sends a frame of connection scope; allowed while opening. */
  writeConnection(frame: Frame): void {
    if (this.state !== 'ended') this.out.write(frame.buffer, frame.start, frame.end)
  }

  /** Lets an outlet send when its turn comes. */
  schedule(outlet: Outlet, readiness: Readiness): void {
    this.out.schedule(outlet, readiness)
  }

  /** States new receive limits of this side. */
  announceLimits(limits: Partial<PeerLimits>): void {
    this.writeConnection(limitsFrame(encodeValue(limits)))
  }

  /** Measures a round trip if a PING may be sent now, and answers whether it may. */
  sample(done: OnRoundTrip): boolean {
    return this.liveness.sample(done)
  }

  /** An error of this side in the middle of a turn ends this session, never the process. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error)
      else this.fail(new ConnectionError('internal', 'internal error'), error)
    }
  }

  // Receiving

  /** Takes one frame, from the link or from a handshake that has kept it. */
  receive(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'ended') this.guarded(() => this.accept(buffer, start, end))
  }

  private accept(buffer: Uint8Array, start: number, end: number): void {
    if (end - start < headerBytes) throw protocolError('frame shorter than its header')
    if (end - start > this.limits.maxFrame) throw protocolError('frame over maxFrame')
    const type = buffer[start]!
    const known = checkHeader(type, buffer[start + 1]!)
    if (this.state === 'opening') return this.opening?.onFrame(buffer, start, end)
    if (this.state === 'ended') return
    this.liveness.heard()
    if (type < firstStreamType) {
      if (known) this.onConnectionFrame(type, buffer, start, end)
      return
    }
    this.received = (this.received + 1) >>> 0
    this.oweAck(end - start)
    if (known) this.owner?.onFrame(buffer, start, end)
  }

  /** A GOAWAY that comes before the handshake is through: the peer refuses. */
  receiveGoAway(buffer: Uint8Array, start: number, end: number): void {
    requireConnectionScope(buffer, start)
    this.onGoAway(buffer, start + headerBytes, end)
  }

  private onConnectionFrame(type: number, buffer: Uint8Array, start: number, end: number): void {
    requireConnectionScope(buffer, start)
    const at = start + headerBytes
    switch (type) {
      case FrameType.Ping:
        needExactly(end - at, 12)
        if (!this.pings.spend(this.clock.now())) throw this.calm('pingBurst')
        this.acknowledge(readU32(buffer, at + 8))
        return this.writeConnection(
          pingFrame(FrameType.Pong, buffer.subarray(at, at + 8), this.received),
        )
      case FrameType.Pong:
        needExactly(end - at, 12)
        this.liveness.onPong(buffer, at)
        return this.acknowledge(readU32(buffer, at + 8))
      case FrameType.Ack:
        needExactly(end - at, 4)
        return this.acknowledge(readU32(buffer, at))
      case FrameType.GoAway:
        return this.onGoAway(buffer, at, end)
      case FrameType.Batch:
        if (this.link.batches !== true) throw protocolError('BATCH on a link that needs none')
        return readBatch(buffer, at, end, this.acceptBatched)
      case FrameType.Limits:
        this.spendControl()
        return this.owner?.onLimits(readLimits(decodeMap(buffer, at, end, this.limits), true))
      case FrameType.Auth:
        throw protocolError('AUTH is not offered')
      default:
        // A second HELLO, a WELCOME after the first.
        throw protocolError('frame type not allowed here')
    }
  }

  private readonly acceptBatched = (buffer: Uint8Array, start: number, end: number): void =>
    this.accept(buffer, start, end)

  private acknowledge(position: number): void {
    if (!this.out.acknowledge(position)) throw protocolError('position ahead of what was sent')
  }

  /** What costs this side more than the peer: AUTH, LIMITS, CREDIT too small to be of use. */
  spendControl(): void {
    if (!this.controls.spend(this.clock.now())) throw this.calm('controlBudget')
  }

  /** An abuse budget of the peer is used up. */
  calm(limit: keyof Limits): ConnectionError {
    this.runtime.metrics?.count('limit_hits', limit)
    return new ConnectionError('resource_exhausted', `calm: ${limit} is used up`)
  }

  private exceed(limit: keyof Limits, reason: string): void {
    this.runtime.metrics?.count('limit_hits', limit)
    this.fail(new ConnectionError('resource_exhausted', reason))
  }

  private oweAck(bytes: number): void {
    this.owedAckBytes += bytes
    if (this.owedAckBytes >= this.limits.ackBytes) this.sendAck()
    else if (!this.ackTimer.armed) this.timers.arm(this.ackTimer, this.limits.ackMs)
  }

  private sendAck(): void {
    if (this.owedAckBytes === 0 || this.state !== 'open') return
    this.owedAckBytes = 0
    this.writeConnection(ackFrame(this.received))
  }

  private onGoAway(buffer: Uint8Array, at: number, end: number): void {
    if (end - at < 8) throw protocolError('malformed GOAWAY')
    const number = buffer[at]!
    const lastAcceptedId = readU32(buffer, at + 4)
    const map = decodeMap(buffer, at + 8, end, this.limits)
    const said = typeof map['reason'] === 'string' ? map['reason'].slice(0, 200) : ''
    const code = number === 0 ? 'unavailable' : (codeOf(number) ?? 'unknown')
    if (code === 'unavailable' && number !== 0 && this.state === 'open') {
      const after = map['reconnectAfterMs']
      return this.owner?.onDrain(lastAcceptedId, typeof after === 'number' ? after : undefined)
    }
    const reason = number === 0 ? 'the peer closed the session' : said
    this.end({ code, reason, lastAcceptedId, byPeer: true })
    void this.link.close()
  }

  private onSilent(): void {
    this.link.abort('peer is silent')
    this.end({
      code: 'session_lost',
      reason: 'the peer is silent',
      lastAcceptedId: undefined,
      byPeer: false,
    })
  }

  // Memory of the process

  get heldBytes(): number {
    return this.ledger.bytes
  }

  get overBudget(): boolean {
    return this.ledger.bytes > this.limits.receiveBudget
  }

  get stalledSince(): number | undefined {
    return this.out.stalledSince
  }

  pauseReading(): void {
    this.reading = false
    this.liveness.suspended = true
    this.link.pause()
  }

  resumeReading(): void {
    if (this.reading) return
    this.reading = true
    this.liveness.suspended = false
    this.liveness.heard()
    this.link.resume()
  }

  sacrifice(): void {
    this.exceed('processBudget', 'memory: over processBudget')
  }

  // Ending

  /** Tells the peer to open no further calls here; what runs may finish. */
  drain(reconnectAfterMs?: number): void {
    if (this.state !== 'open' || this.draining) return
    this.draining = true
    const after = reconnectAfterMs === undefined ? {} : { reconnectAfterMs }
    this.sendGoAway('unavailable', { reason: 'drain', ...after })
  }

  /** Ends the session in order. Settles when the link is gone. */
  async close(): Promise<void> {
    if (this.state !== 'ended') {
      this.sendGoAway('closed', {})
      this.end({ code: 'cancelled', reason: 'closed', lastAcceptedId: undefined, byPeer: false })
    }
    await this.link.close()
  }

  /** Ends the session because a rule was broken, here or there, and says so to the peer. */
  fail(error: ConnectionError, cause?: unknown, details: Record<string, unknown> = {}): void {
    if (this.state === 'ended') return
    this.sendGoAway(error.code, { reason: error.reason, ...details })
    this.end({
      code: error.code,
      reason: error.reason,
      lastAcceptedId: undefined,
      byPeer: false,
      cause,
    })
    void this.link.close()
  }

  private sendGoAway(code: Code | 'closed', map: Record<string, unknown>): void {
    this.writeConnection(goAwayFrame(code, this.owner?.lastAcceptedId ?? 0, encodeValue(map)))
  }

  private onClose(close: LinkClose): void {
    const reason = close.reason === '' ? 'the link was lost' : `the link was lost: ${close.reason}`
    this.end({
      code: 'session_lost',
      reason,
      lastAcceptedId: undefined,
      byPeer: close.clean,
      cause: close.error,
    })
  }

  private end(end: SessionEnd): void {
    if (this.state === 'ended') return
    // What was written last, a GOAWAY most of all, leaves before the link closes.
    this.out.close()
    this.state = 'ended'
    this.liveness.close()
    this.timers.disarm(this.ackTimer)
    this.runtime.memory.leave(this)
    const upper = this.owner ?? this.opening
    this.owner = this.opening = undefined
    upper?.onEnd(end)
    this.ledger.close()
    this.resumeReading()
  }
}

function needExactly(length: number, expected: number): void {
  if (length !== expected) throw protocolError('connection frame of wrong length')
}
