// A session: one peer, spoken to over a link, as an ordered pipe of stream frames.
//   in  -> frames of the link; frames and outlets of the call layer
//   out -> stream frames to the call layer, one end with its reason
// Answers connection frames by itself, counts positions, keeps the ring, paces the sender. Knows
// nothing of calls. One link for its whole life so far: it ends with its link.

import type { Clock } from '../base/clock.ts'
import { ConnectionError, codeOf, protocolError, type Code } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Timer, type Timers } from '../base/timers.ts'
import { encodeValue } from '../codec/msgpack.ts'
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
import { Keepalive, PingBudget, type KeepaliveTerms } from './keepalive.ts'
import { ReplayRing } from './replay.ts'
import { SendQueue, type Outlet, type Readiness } from './send-queue.ts'

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

export interface SessionParts {
  readonly link: Link
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Limits
  /** The server's side asks after silence. */
  readonly role: 'client' | 'server'
}

type State = 'opening' | 'open' | 'ended'

export class Session {
  state: State = 'opening'
  readonly link: Link
  readonly queue: SendQueue = new SendQueue()
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limits: Limits
  private readonly role: 'client' | 'server'
  private readonly ring: ReplayRing
  private opening: Opening | undefined
  private owner: SessionOwner | undefined
  private received = 0
  private owedAckBytes = 0
  private readonly pings: PingBudget
  private keepalive: Keepalive | undefined
  private handed = 0
  private takenAtStallCheck = 0
  private ackedAtStallCheck = 0
  private flushScheduled = false
  private draining = false
  private readonly ackTimer = new Timer(() => this.sendAck())
  private readonly keepaliveTimer = new Timer(() => this.checkSilence())
  private readonly stallTimer = new Timer(() => this.checkProgress())

  constructor(parts: SessionParts, opening: Opening) {
    this.link = parts.link
    this.clock = parts.clock
    this.timers = parts.timers
    this.limits = parts.limits
    this.role = parts.role
    this.opening = opening
    this.ring = new ReplayRing(parts.limits.replayRing, parts.limits.frameCost)
    this.pings = new PingBudget(parts.limits.pingBurst, parts.clock.now())
    parts.link.open({
      onFrame: (buffer, start, end) => this.receive(buffer, start, end),
      onDrain: () => this.onDrain(),
      // Before HELLO it is a stranger, who would not understand.
      onViolation: (error) =>
        this.state === 'opening' ? parts.link.abort(error.reason) : this.fail(error),
      onClose: (close) => this.onClose(close),
    })
  }

  /** The handshake is through: stream frames may flow. */
  open(owner: SessionOwner, keepalive: KeepaliveTerms): void {
    if (this.state !== 'opening') return
    this.state = 'open'
    this.owner = owner
    this.opening = undefined
    const now = this.clock.now()
    this.keepalive = new Keepalive(keepalive, this.role === 'server', now)
    this.timers.arm(this.keepaliveTimer, this.keepalive.nextMs(now))
  }

  // Sending

  /** Whether a frame may go to the link now without passing another that waits. */
  get ready(): boolean {
    return this.queue.empty && this.mayFeed(false)
  }

  /** Sends a stream frame: it gets its position here. The buffer must not change afterwards. */
  writeFrame(buffer: Uint8Array, start: number, end: number): void {
    if (this.state !== 'open') return
    this.ring.push(buffer, start, end)
    this.write(buffer, start, end)
  }

  /** The same for a frame of its own: CANCEL, CREDIT, END, ERROR. */
  writeStream(frame: Frame): void {
    this.writeFrame(frame.buffer, frame.start, frame.end)
  }

  /** Sends a frame of connection scope; allowed while opening. */
  writeConnection(frame: Frame): void {
    if (this.state !== 'ended') this.write(frame.buffer, frame.start, frame.end)
  }

  /** Lets an outlet send when its turn comes. */
  schedule(outlet: Outlet, readiness: Readiness): void {
    if (this.state !== 'open') return
    this.queue.add(outlet, readiness)
    this.scheduleFlush()
  }

  /** States new receive limits of this side. */
  announceLimits(limits: Partial<PeerLimits>): void {
    this.writeConnection(limitsFrame(encodeValue(limits)))
  }

  private write(buffer: Uint8Array, start: number, end: number): void {
    this.handed += end - start
    this.link.write(buffer, start, end)
    this.scheduleFlush()
  }

  private scheduleFlush(): void {
    if (this.flushScheduled) return
    this.flushScheduled = true
    if (this.role === 'client') this.askAfterSilence()
    this.clock.endOfTurn(this.onEndOfTurn)
  }

  private readonly onEndOfTurn = (): void => {
    this.flushScheduled = false
    if (this.state === 'ended') return
    this.guarded(this.sendTurn)
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

  private readonly sendTurn = (): void => {
    this.pump()
    this.link.flush()
    const unsent = this.link.unsentBytes
    if (unsent > this.limits.maxUnsent) this.fail(slowConsumer('unsent bytes over maxUnsent'))
    else if ((unsent > 0 || this.ring.bytes >= this.limits.replayRing) && !this.stallTimer.armed)
      this.watchProgress()
  }

  private readonly mayFeed = (fragment: boolean): boolean =>
    this.state === 'open' &&
    this.link.unsentBytes < this.limits.maxFed &&
    this.ring.hasRoom(fragment)

  private pump(): void {
    if (!this.queue.empty) this.queue.pump(this.mayFeed)
  }

  private onDrain(): void {
    if (this.state === 'open') this.guarded(this.resumeSending)
  }

  private readonly resumeSending = (): void => {
    this.pump()
    if (this.mayFeed(false)) this.owner?.onWritable()
  }

  private watchProgress(): void {
    this.takenAtStallCheck = this.handed - this.link.unsentBytes
    this.ackedAtStallCheck = this.ring.acknowledged
    this.timers.arm(this.stallTimer, this.limits.stallMs)
  }

  private checkProgress(): void {
    if (this.state === 'ended') return
    const unsent = this.link.unsentBytes
    const full = this.ring.bytes >= this.limits.replayRing
    if (unsent > 0 && this.handed - unsent === this.takenAtStallCheck)
      return this.fail(slowConsumer('no progress of unsent bytes within stallMs'))
    if (full && this.ring.acknowledged === this.ackedAtStallCheck)
      return this.fail(slowConsumer('no acknowledgment within stallMs'))
    if (unsent > 0 || full) this.watchProgress()
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
    this.keepalive?.heard(this.clock.now())
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
        if (!this.pings.spend(this.clock.now()))
          throw new ConnectionError('resource_exhausted', 'calm')
        this.acknowledge(readU32(buffer, at + 8))
        return this.writeConnection(
          pingFrame(FrameType.Pong, buffer.subarray(at, at + 8), this.received),
        )
      case FrameType.Pong:
        needExactly(end - at, 12)
        return this.acknowledge(readU32(buffer, at + 8))
      case FrameType.Ack:
        needExactly(end - at, 4)
        return this.acknowledge(readU32(buffer, at))
      case FrameType.GoAway:
        return this.onGoAway(buffer, at, end)
      case FrameType.Limits:
        return this.owner?.onLimits(readLimits(decodeMap(buffer, at, end, this.limits), true))
      case FrameType.Auth:
        throw protocolError('AUTH is not offered')
      default:
        // A second HELLO, a WELCOME after the first, a BATCH that was not agreed.
        throw protocolError('frame type not allowed here')
    }
  }

  private acknowledge(position: number): void {
    const full = !this.ring.hasRoom(true)
    if (!this.ring.acknowledge(position)) throw protocolError('position ahead of what was sent')
    if (full) this.onDrain()
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

  // Silence

  private checkSilence(): void {
    if (this.state !== 'open' || this.keepalive === undefined) return
    const now = this.clock.now()
    const verdict = this.keepalive.judge(now)
    if (verdict === 'dead') {
      this.link.abort('peer is silent')
      return this.end({
        code: 'session_lost',
        reason: 'the peer is silent',
        lastAcceptedId: undefined,
        byPeer: false,
      })
    }
    if (verdict === 'ping') this.ping(now)
    this.timers.arm(this.keepaliveTimer, this.keepalive.nextMs(now))
  }

  /** A peer that does not ask by itself asks before it sends into silence. */
  private askAfterSilence(): void {
    if (this.keepalive === undefined) return
    const now = this.clock.now()
    if (this.keepalive.wantsPing(now)) this.ping(now)
  }

  private ping(now: number): void {
    this.keepalive?.asked(now)
    this.writeConnection(pingFrame(FrameType.Ping, this.clock.randomBytes(8), this.received))
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
    // What was written last, a GOAWAY most of all, must leave before the link closes.
    this.link.flush()
    this.state = 'ended'
    for (const timer of [this.ackTimer, this.keepaliveTimer, this.stallTimer])
      this.timers.disarm(timer)
    this.queue.clear()
    const upper = this.owner ?? this.opening
    this.owner = this.opening = undefined
    upper?.onEnd(end)
  }
}

function slowConsumer(reason: string): ConnectionError {
  return new ConnectionError('resource_exhausted', `slow_consumer: ${reason}`)
}

function needExactly(length: number, expected: number): void {
  if (length !== expected) throw protocolError('connection frame of wrong length')
}
