// A session: one peer, as an ordered pipe of stream frames that outlives its links.
//   in  -> links; frames of the link; frames and outlets of the call layer
//   out -> stream frames to the call layer, one end with its reason
// Answers connection frames by itself and counts what it receives; what it sends is in `outflow.ts`.
// Knows nothing of calls.
//
//             open              link lost                resume
//   opening ---------> open -----------------> parked -----------> open
//      |  release       |  closed, broken,        |  grace over,
//      |  refused       |  lost without grace     |  evicted, refused
//      +----------------+-------------------------+-----------------> ended

import type { Clock } from '../base/clock.ts'
import { ConnectionError, codeOf, protocolError, type Code } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import { Timer, type Timers } from '../base/timers.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { encodeValue } from '../codec/msgpack-value.ts'
import { readBatch } from '../frames/batch.ts'
import {
  ackFrame,
  authFrame,
  goAwayFrame,
  limitsFrame,
  pingFrame,
  requireConnectionScope,
  VersionError,
  versions,
  type Frame,
} from '../frames/fields.ts'
import { checkHeader, firstStreamType, FrameType, headerBytes, readU32 } from '../frames/frame.ts'
import type { Link, LinkClose, Peer } from '../link/link.ts'
import { Attachment, type AttachmentOwner } from './attachment.ts'
import { decodeMap, readLimits, type PeerLimits } from './handshake.ts'
import type { KeepaliveTerms } from './keepalive.ts'
import { Ledger } from './ledger.ts'
import type { OnRoundTrip } from './liveness.ts'
import type { Memory, MemoryMember } from './memory.ts'
import { Outflow } from './outflow.ts'
import type { Parked, ParkedMember } from './parked.ts'
import type { Retention } from './replay.ts'
import { RoundTrip } from './round-trip.ts'
import type { Outlet, Readiness } from './send-queue.ts'

/** Why a session is over. */
export interface SessionEnd {
  /** `session_lost` if no link came in time, `unavailable` after an orderly close, else what was broken. */
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
  /** A fresh credential of the peer, or its answer to one. */
  onAuth(map: Readonly<Record<string, unknown>>): void
  /** The link is gone; another may come. Calls go on, nothing is sent. */
  onParked(reason: string): void
  /** Another link has taken over: nothing was lost. */
  onResumed(): void
  /** Called once, last. */
  onEnd(end: SessionEnd): void
}

/** How a session goes on once its handshake is through. */
export interface OpenTerms {
  readonly keepalive: KeepaliveTerms
  /** How long it lives without a link, in milliseconds. 0: it ends with its link. */
  readonly graceMs: number
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
  readonly parked: Parked
  readonly metrics?: Metrics | undefined
}

export interface SessionParts {
  readonly link: Link
  readonly runtime: SessionRuntime
  /** The server's side asks after silence. */
  readonly role: 'client' | 'server'
  /** Positions to begin with, for tests of the wrap: nobody lives to see 2^32 frames. Default 0. */
  readonly positions?: { readonly sent: number; readonly received: number } | undefined
}

type State = 'opening' | 'open' | 'parked' | 'ended'

/** Of AUTH, LIMITS and tiny CREDIT together: so many come back each second. */
const controlPerSecond = 1

/** Of a session that has no link: nothing was measured. */
const unmeasured = new RoundTrip()

export class Session implements MemoryMember, ParkedMember, AttachmentOwner {
  state: State = 'opening'
  /** Who is, or was last, at the other end. */
  peer: Peer
  readonly ledger: Ledger
  private readonly out: Outflow
  /** The link, as long as there is one. */
  private attachment: Attachment | undefined
  /** The link there was last: closed or closing. */
  private lastLink: Link
  private readonly runtime: SessionRuntime
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly limits: Limits
  private opening: Opening | undefined
  private owner: SessionOwner | undefined
  private terms: OpenTerms = { keepalive: { intervalMs: 0, timeoutMs: 0 }, graceMs: 0 }
  /** Stream frames received: the position that this side tells. */
  received = 0
  /** Called at the first frame over a link that has resumed the session: the peer has WELCOME. */
  onConfirmed: (() => void) | undefined
  private owedAckBytes = 0
  private readonly controls: TokenBucket
  private reading = true
  private draining = false
  private reconnectAfterMs: number | undefined
  private readonly ackTimer = new Timer(() => this.sendAck())
  private readonly graceTimer = new Timer(() => this.lose('no link came within the grace'))

  constructor(parts: SessionParts, opening: Opening) {
    const { link, runtime, role, positions } = parts
    const { clock, timers, limits, memory } = runtime
    this.peer = link.peer
    this.lastLink = link
    this.runtime = runtime
    this.clock = clock
    this.timers = timers
    this.limits = limits
    this.opening = opening
    this.ledger = new Ledger(memory)
    this.out = new Outflow(
      { clock, timers, limits, ledger: this.ledger, sent: positions?.sent },
      {
        guarded: (work) => this.guarded(work),
        onFirstOfTurn: () => this.attachment?.liveness.askAfterSilence(),
        onWritable: () => this.owner?.onWritable(),
        onSlow: (limit, reason) => this.exceed(limit, `slow_consumer: ${reason}`),
      },
    )
    this.received = positions?.received ?? 0
    this.controls = new TokenBucket(limits.controlBudget, controlPerSecond, clock.now())
    memory.join(this)
    const { metrics } = runtime
    this.attachment = new Attachment({ link, role, clock, timers, limits, metrics }, this)
    this.out.attach(link)
    this.attachment.open()
  }

  /** The handshake is through: stream frames may flow. */
  open(owner: SessionOwner, terms: OpenTerms): void {
    if (this.state !== 'opening') return
    this.state = 'open'
    this.out.open = true
    this.owner = owner
    this.terms = terms
    this.opening = undefined
    this.attachment?.liveness.open(terms.keepalive)
  }

  get roundTrip(): RoundTrip {
    return this.attachment?.liveness.roundTrip ?? unmeasured
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

  /**
   * Sends a stream frame whose turn has come: it gets its position here. The buffer must not change
   * afterwards. `deadlineAt`: when the deadline of a REQUEST passes.
   */
  writeFrame(buffer: Uint8Array, start: number, end: number, deadlineAt?: number): void {
    this.out.writeFrame(buffer, start, end, deadlineAt)
  }

  /** Sends CANCEL, CREDIT or ERROR, which pass what waits; without a link once there is one. */
  writeControl(frame: Frame): void {
    this.out.writeControl(frame)
  }

  /** Sends a frame of connection scope; allowed while opening. Without a link it is dropped. */
  writeConnection(frame: Frame): void {
    if (this.state !== 'ended') this.out.write(frame.buffer, frame.start, frame.end)
  }

  /** Lets an outlet send when its turn comes. */
  schedule(outlet: Outlet, readiness: Readiness): void {
    this.out.schedule(outlet, readiness)
  }

  /** Takes an outlet back that may stand in the queue: it will send over another session. */
  unschedule(outlet: Outlet): void {
    this.out.queue.remove(outlet)
  }

  /** States new receive limits of this side. */
  announceLimits(limits: Partial<PeerLimits>): void {
    this.writeConnection(limitsFrame(encodeValue(limits)))
  }

  /** Sends a fresh credential, or the answer to one. Not replayed: HELLO carries the newest. */
  writeAuth(map: Readonly<Record<string, unknown>>): void {
    this.writeConnection(authFrame(encodeValue(map)))
  }

  /** Measures a round trip if a PING may be sent now, and answers whether it may. */
  sample(done: OnRoundTrip): boolean {
    return this.attachment?.liveness.sample(done) ?? false
  }

  /** An error of this side in the middle of a turn ends this session, never the process. */
  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.onThrown(error)
    }
  }

  private onThrown(error: unknown): void {
    if (error instanceof VersionError) this.fail(error, undefined, { versions })
    else if (error instanceof ConnectionError) this.fail(error)
    else this.fail(new ConnectionError('internal', 'internal error'), error)
  }

  // Receiving

  /** Takes one frame, from the link or from a handshake that has kept it. */
  receive(buffer: Uint8Array, start: number, end: number): void {
    if (this.state === 'ended') return
    // Not by `guarded`: a closure for every frame shows in the bench.
    try {
      this.accept(buffer, start, end)
    } catch (error) {
      this.onThrown(error)
    }
  }

  private accept(buffer: Uint8Array, start: number, end: number): void {
    if (end - start < headerBytes) throw protocolError('frame shorter than its header')
    if (end - start > this.limits.maxFrame)
      throw new ConnectionError('protocol', 'frame over limits.maxFrame', 'maxFrame')
    const type = buffer[start]!
    const known = checkHeader(type, buffer[start + 1]!)
    if (this.state === 'opening') return this.opening?.onFrame(buffer, start, end)
    if (this.state === 'ended') return
    this.attachment?.liveness.heard()
    this.onConfirmed?.()
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
        if (this.attachment?.pings.spend(this.clock.now()) === false) throw this.calm('pingBurst')
        this.acknowledge(readU32(buffer, at + 8))
        return this.writeConnection(
          pingFrame(FrameType.Pong, buffer.subarray(at, at + 8), this.received),
        )
      case FrameType.Pong:
        needExactly(end - at, 12)
        this.attachment?.liveness.onPong(buffer, at)
        return this.acknowledge(readU32(buffer, at + 8))
      case FrameType.Ack:
        needExactly(end - at, 4)
        return this.acknowledge(readU32(buffer, at))
      case FrameType.GoAway:
        return this.onGoAway(buffer, at, end)
      case FrameType.Batch:
        if (this.attachment?.link.batches !== true)
          throw protocolError('BATCH on a link that needs none')
        return readBatch(buffer, at, end, this.acceptBatched)
      case FrameType.Limits:
        this.spendControl()
        return this.owner?.onLimits(readLimits(decodeMap(buffer, at, end, this.limits), true))
      case FrameType.Auth:
        this.spendControl()
        return this.owner?.onAuth(decodeMap(buffer, at, end, this.limits))
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
    return new ConnectionError('resource_exhausted', `calm: ${limit} is used up`, limit)
  }

  private exceed(limit: keyof Limits, reason: string): void {
    this.fail(new ConnectionError('resource_exhausted', reason, limit))
  }

  private countHit(limit: keyof Limits | undefined): void {
    if (limit !== undefined) this.runtime.metrics?.count('limit_hits', limit)
  }

  private oweAck(bytes: number): void {
    this.owedAckBytes += bytes
    if (this.owedAckBytes >= this.limits.ackBytes) this.sendAck()
    else if (!this.ackTimer.armed) this.timers.arm(this.ackTimer, this.limits.ackMs)
  }

  private sendAck(): void {
    if (this.owedAckBytes > 0 && this.state === 'open') this.confirm()
  }

  /** Tells the peer at once what has arrived: after a resume it is also told that WELCOME has. */
  confirm(): void {
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
    // The session goes on, over another link.
    if (code === 'aborted' && this.mayPark) return this.park(`the link was ${said}`)
    const reason = number === 0 ? 'the peer closed the session' : said
    this.end({ code, reason, lastAcceptedId, byPeer: true })
    void this.lastLink.close()
  }

  onSilent(): void {
    const { lastLink } = this
    // First: a link may tell its end at once, and a session loses its link only once.
    this.leaveLink('the peer is silent', false)
    lastLink.abort('the peer is silent')
  }

  sendPing(nonce: Uint8Array): void {
    this.writeConnection(pingFrame(FrameType.Ping, nonce, this.received))
  }

  onDrain(): void {
    this.out.resume()
  }

  /** Before HELLO it is a stranger, who would not understand. */
  onViolation(error: ConnectionError): void {
    if (this.state === 'opening') this.lastLink.abort(error.reason)
    else this.fail(error)
  }

  // Without a link, and with another

  private get mayPark(): boolean {
    return this.state === 'open' && this.terms.graceMs > 0
  }

  private leaveLink(reason: string, byPeer: boolean, cause?: unknown): void {
    if (this.mayPark) return this.park(reason)
    this.end({ code: 'session_lost', reason, lastAcceptedId: undefined, byPeer, cause })
  }

  /** Gives the link up and waits for another. From here on `received` stands still. */
  private park(reason: string): void {
    const { attachment } = this
    this.state = 'parked'
    this.detach()
    attachment?.link.abort('parked')
    this.timers.arm(this.graceTimer, this.terms.graceMs)
    this.ledger.onWaiting = () => this.runtime.parked.count(this)
    this.runtime.metrics?.count('sessions_parked')
    this.owner?.onParked(reason)
    if (this.state === 'parked') this.runtime.parked.count(this)
  }

  private detach(): void {
    this.attachment?.release()
    this.attachment = undefined
    this.out.detach()
    this.timers.disarm(this.ackTimer)
    // The position is told when the session is resumed.
    this.owedAckBytes = 0
  }

  /** Whether a peer that has received up to `position` can be sent all the rest. */
  retention(position: number): Retention {
    return this.out.retention(position)
  }

  /**
   * Takes the link from this side, for another one resumes the session now: what still comes over
   * the old one is ignored, and its peer is told `aborted`, reason `replaced`.
   */
  fence(): void {
    const { attachment } = this
    if (this.state !== 'open' || attachment === undefined) return
    this.sendGoAway('aborted', { reason: 'replaced' })
    attachment.link.flush()
    this.state = 'parked'
    this.detach()
    void attachment.link.close()
  }

  /** Gives the link to the session that it resumes; this one was only its handshake. */
  release(): Attachment {
    const { attachment } = this
    if (this.state !== 'opening' || attachment === undefined)
      throw new Error('only a link in its handshake can be given away')
    this.out.close()
    this.attachment = undefined
    this.opening = undefined
    this.state = 'ended'
    this.runtime.memory.leave(this)
    this.ledger.close()
    return attachment
  }

  /**
   * Goes on over another link. The peer has received up to `position`, which must be retained; what
   * follows it is sent again, in order and before anything new.
   */
  resume(attachment: Attachment, position: number): void {
    if (this.state !== 'parked') throw new Error('only a session without a link can be resumed')
    this.state = 'open'
    this.unpark()
    this.attachment = attachment
    attachment.owner = this
    this.lastLink = attachment.link
    this.peer = attachment.link.peer
    attachment.liveness.open(this.terms.keepalive)
    if (!this.reading) this.pauseLink()
    this.out.attach(attachment.link, position)
    // GOAWAY is not replayed.
    if (this.draining) this.sendDrain()
    this.runtime.metrics?.count('sessions_resumed')
    this.owner?.onResumed()
  }

  private unpark(): void {
    this.timers.disarm(this.graceTimer)
    this.ledger.onWaiting = undefined
    this.runtime.parked.remove(this)
  }

  get parkedBytes(): number {
    return this.ledger.ring + this.ledger.waiting
  }

  evict(): void {
    this.runtime.metrics?.count('limit_hits', 'parkedBudget')
    this.lose('evicted: over limits.parkedBudget')
  }

  /** The session cannot be resumed any more. */
  lose(reason: string): void {
    this.end({ code: 'session_lost', reason, lastAcceptedId: undefined, byPeer: false })
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
    this.pauseLink()
  }

  private pauseLink(): void {
    if (this.attachment === undefined) return
    this.attachment.liveness.suspended = true
    this.attachment.link.pause()
  }

  resumeReading(): void {
    if (this.reading) return
    this.reading = true
    if (this.attachment === undefined) return
    const { liveness, link } = this.attachment
    liveness.suspended = false
    liveness.heard()
    link.resume()
  }

  sacrifice(): void {
    this.exceed('processBudget', 'memory: over limits.processBudget')
  }

  // Ending

  /** Tells the peer to open no further calls here; what runs may finish. */
  drain(reconnectAfterMs?: number): void {
    if (this.draining || (this.state !== 'open' && this.state !== 'parked')) return
    this.draining = true
    this.reconnectAfterMs = reconnectAfterMs
    this.sendDrain()
  }

  private sendDrain(): void {
    const { reconnectAfterMs } = this
    const after = reconnectAfterMs === undefined ? {} : { reconnectAfterMs }
    this.sendGoAway('unavailable', { reason: 'drain', ...after })
  }

  /** Ends the session in order. Settles when the link is gone. */
  async close(): Promise<void> {
    if (this.state !== 'ended') {
      this.sendGoAway('closed', {})
      this.end({ code: 'cancelled', reason: 'closed', lastAcceptedId: undefined, byPeer: false })
    }
    await this.lastLink.close()
  }

  /** Ends the session because a rule was broken, here or there, and says so to the peer. */
  fail(error: ConnectionError, cause?: unknown, details: Record<string, unknown> = {}): void {
    if (this.state === 'ended') return
    this.countHit(error.limit)
    this.sendGoAway(error.code, { reason: error.reason, ...details })
    this.end({
      code: error.code,
      reason: error.reason,
      lastAcceptedId: undefined,
      byPeer: false,
      cause,
    })
    void this.lastLink.close()
  }

  private sendGoAway(code: Code | 'closed', map: Record<string, unknown>): void {
    this.writeConnection(goAwayFrame(code, this.owner?.lastAcceptedId ?? 0, encodeValue(map)))
  }

  onLinkClose(close: LinkClose): void {
    if (this.state !== 'ended') this.countHit(close.limit)
    const reason = close.reason === '' ? 'the link was lost' : `the link was lost: ${close.reason}`
    this.leaveLink(reason, close.clean, close.error)
  }

  private end(end: SessionEnd): void {
    if (this.state === 'ended') return
    // What was written last, a GOAWAY most of all, leaves before the link closes.
    this.out.close()
    this.state = 'ended'
    this.unpark()
    this.timers.disarm(this.ackTimer)
    this.runtime.memory.leave(this)
    const upper = this.owner ?? this.opening
    this.owner = this.opening = undefined
    upper?.onEnd(end)
    this.ledger.close()
    // The end of the peer must be read before the link can close.
    this.resumeReading()
    this.attachment?.release()
    this.attachment = undefined
  }
}

function needExactly(length: number, expected: number): void {
  if (length !== expected) throw protocolError('connection frame of wrong length')
}
