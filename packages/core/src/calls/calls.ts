// All calls of one session, in both directions: ids, order, who gets which frame.
//   in  -> stream frames of the session; calls to start
//   out -> frames to the call they belong to; new calls to the dispatcher; what was never sent, back
// One per session. What a single call does with its frames is in `outgoing.ts` and `incoming.ts`.

import { ConnectionError, RpcError, codeOf, protocolError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Roster } from '../base/roster.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { decodeUtf8 } from '../base/utf8.ts'
import { MessageFields } from '../frames/fields.ts'
import { Flag, FrameType, headerBytes, readU32 } from '../frames/frame.ts'
import { ByName, Changed, Unserved, type MethodIds, type PeerLimits } from '../session/handshake.ts'
import type { Session, SessionEnd, SessionOwner } from '../session/session.ts'
import { Admission, type Applicant } from './admission.ts'
import { ReceiveBudget } from './budget.ts'
import type { WindowTerms } from './credit.ts'
import { Events, eventWindow, type OutgoingEvent } from './events.ts'
import { failure, failureFrame, readFailure, type WireFailure } from './failure.ts'
import type { CallStarter, SendingChannel, Startable } from './channel.ts'
import {
  IncomingCall,
  tryAgainMs,
  type Dispatcher,
  type ServedMethod,
  type ServingChannel,
} from './incoming.ts'
import type { MethodRef } from './message.ts'
import type { Method, MethodCodecs } from './method.ts'
import { local, OutgoingCall } from './outgoing.ts'
import type { Received } from './reader.ts'
import type { Runtime } from './runtime.ts'
import { Slots } from './slots.ts'
import type { ConnectionSnapshot } from './snapshot.ts'
import { StallWatch } from './stall-watch.ts'
import { CallTable, isAhead } from './table.ts'
import { WindowTuner } from './tuner.ts'
import type { WriterTerms } from './writer.ts'

/** Who owns a session's calls: a client that may have another session later, or a server. */
export interface CallsOwner {
  /** What was never sent and cannot go out here any more, in order. */
  takeBack(calls: readonly Startable[]): void
  /** A fresh credential of the peer, or its answer to one. */
  onAuth(map: Readonly<Record<string, unknown>>): void
  /** The peer accepts no further calls here. */
  onDrain(reconnectAfterMs: number | undefined): void
  /** The session has lost its link and waits for another. */
  onParked(reason: string): void
  /** The session goes on over another link. */
  onResumed(): void
  /** The session is over; every call has settled or been given back. */
  onEnd(end: SessionEnd): void
}

export interface CallsParts {
  readonly runtime: Runtime
  readonly session: Session
  readonly peer: PeerLimits
  /** Name of the codec that WELCOME says: that of calls by id. */
  readonly codec: string
  /** How this side names the methods of the other. */
  readonly ids: MethodIds
  readonly role: 'client' | 'server'
  readonly dispatcher: Dispatcher
  readonly owner: CallsOwner
}

/** Calls that the peer may cancel or spoil: so many come back each second. */
const resetsPerSecond = 100
/** CREDIT below this share of the window that its sender has announced is of no use to anyone. */
const tinyShare = 1 / 64

export class Calls implements SessionOwner, CallStarter, SendingChannel, ServingChannel {
  readonly runtime: Runtime
  readonly session: Session
  readonly dispatcher: Dispatcher
  private readonly events: Events
  peer: PeerLimits
  writerTerms: WriterTerms
  readonly windowTerms: WindowTerms
  readonly codec: number
  private readonly ids: MethodIds
  private readonly owner: CallsOwner
  private readonly table: CallTable<OutgoingCall | IncomingCall>
  private readonly fields = new MessageFields()
  private acceptedId = 0
  private readonly slots: Slots
  private readonly budget: ReceiveBudget
  private readonly tuner: WindowTuner
  private readonly admission: Admission
  private readonly resets: TokenBucket
  /** Calls that wait for the link, without an id so far. */
  private readonly transmitting = new Set<OutgoingCall>()
  private readonly slotHolders = new Roster<IncomingCall>()
  private readonly stalls: StallWatch<IncomingCall>
  private readonly endListeners = new Set<() => void>()
  private creditViolations = 0
  private state: 'open' | 'draining' | 'drained' | 'ended' = 'open'
  private whenIdle: (() => void) | undefined

  constructor(parts: CallsParts) {
    this.runtime = parts.runtime
    this.session = parts.session
    this.peer = parts.peer
    this.codec = this.runtime.codecs.findIndex(({ name }) => name === parts.codec)
    this.ids = parts.ids
    this.dispatcher = parts.dispatcher
    this.owner = parts.owner
    this.table = new CallTable(parts.role)
    this.writerTerms = this.newTerms()
    const { clock, timers, limits, memory } = this.runtime
    const { ledger } = this.session
    this.budget = new ReceiveBudget(limits.receiveBudget, memory)
    this.tuner = new WindowTuner(this.budget, limits.window, (done) => this.session.sample(done))
    this.windowTerms = { window: limits.window, budget: this.budget, ledger, tuner: this.tuner }
    this.events = new Events(this)
    this.slots = new Slots(this)
    this.resets = new TokenBucket(limits.resetBudget, resetsPerSecond, clock.now())
    const readyBytes = (): number => this.session.readyBytes
    this.admission = new Admission({ clock, timers, limits, ledger, readyBytes })
    const { streamStallMs } = limits
    const onStalled = (call: IncomingCall): void => this.onStalled(call)
    const running = (): readonly IncomingCall[] => this.slotHolders.all()
    this.stalls = new StallWatch({ clock, timers, streamStallMs }, running, onStalled)
    ledger.onHeldReleased = () => this.onRelease()
  }

  private newTerms(): WriterTerms {
    const { frameCost, maxUnsent } = this.runtime.limits
    return { session: this.session, peer: this.peer, frameCost, maxWaiting: maxUnsent }
  }

  /** Highest stream id of a REQUEST that counts as accepted; 0 for none. */
  get lastAcceptedId(): number {
    return this.acceptedId
  }

  /** Open calls of both directions, and handlers that have not settled. */
  get size(): number {
    return this.table.size + this.slotHolders.size
  }

  /** What is open and held now. */
  snapshot(): ConnectionSnapshot {
    const { session, slots, admission, tuner, budget } = this
    const { transport, remoteAddress } = session.peer
    const { buffered, held, waiting, ring } = session.ledger
    const { leastMs } = session.roundTrip
    const made = this.table.values().filter((call) => call instanceof OutgoingCall).length
    return {
      transport,
      remoteAddress,
      parked: session.state === 'parked',
      calls: {
        made: made + this.transmitting.size + slots.queued,
        waitingForSlot: slots.queued,
        served: this.slotHolders.size,
        waitingForBudget: admission.length,
      },
      eventsQueued: this.events.length,
      queued: session.queued,
      bytes: {
        buffered,
        held,
        waiting,
        ring,
        unsent: session.unsent,
        reserved: budget.reserved,
      },
      windows: { tuned: tuner.length, largest: tuner.largest, waiting: budget.length },
      roundTripMs: leastMs === Infinity ? undefined : leastMs,
    }
  }

  // Calls of this side

  start(call: Startable): void {
    if (call.settled) return
    if (this.state === 'drained' || this.state === 'ended') return this.owner.takeBack([call])
    this.slots.start(call)
  }

  sendEvent(event: OutgoingEvent): void {
    this.events.send(event)
  }

  refOf(method: Method, codec: number): MethodRef | undefined {
    const id = this.ids.get(method.entry)
    if (id === Unserved || id === Changed) return undefined
    // A name says msgpack, an id what was agreed on.
    return id === undefined || id === ByName || codec !== this.codec ? method.nameBytes : id
  }

  codecFor(method: Method): number {
    const id = this.ids.get(method.entry)
    return id !== undefined && id >= 0 ? this.codec : 0
  }

  refusalFor(method: Method): RpcError {
    return this.ids.get(method.entry) === Changed
      ? local('contract_mismatch', `the peer has other schemas for ${method.name}`)
      : local('unimplemented', `the peer does not serve ${method.name}`)
  }

  onTransmit(call: OutgoingCall): void {
    this.transmitting.add(call)
  }

  register(call: OutgoingCall): number {
    this.transmitting.delete(call)
    return this.table.register(call)
  }

  pauseFor(ms: number): void {
    this.slots.pauseFor(ms)
  }

  closeOutgoing(call: OutgoingCall, unused: number): void {
    this.transmitting.delete(call)
    if (call.id !== 0) this.table.close(call.id, unused)
    if (this.state === 'ended') return
    this.slots.free()
    this.checkIdle()
  }

  // Calls of the peer

  closeIncoming(call: IncomingCall, unused: number): void {
    this.table.close(call.id, unused)
  }

  allowLate(unused: number): void {
    this.table.allowLate(unused)
  }

  releaseSlot(call: IncomingCall): void {
    if (!this.slotHolders.delete(call)) return
    if (call.endedWell) this.resets.refund(1)
    this.checkIdle()
  }

  get dispatchIdle(): boolean {
    return this.admission.length === 0
  }

  admit(applicant: Applicant, payload: Uint8Array, start: number, end: number): void {
    this.admission.admit(applicant, payload, start, end)
  }

  /** The peer has cancelled or spoiled a call: cheap for it, not for this side (CVE-2023-44487). */
  spendReset(): void {
    if (!this.resets.spend(this.runtime.clock.now()))
      this.session.fail(this.session.calm('resetBudget'))
  }

  /** Held values are gone: somebody may begin, and half a message may go on. */
  private onRelease(): void {
    if (this.admission.length === 0) return
    this.admission.pump()
    this.budget.favorOldest()
  }

  // Frames

  onFrame(buffer: Uint8Array, start: number, end: number): void {
    const type = buffer[start]!
    const flags = buffer[start + 1]!
    const id = readU32(buffer, start + 2)
    switch (type) {
      case FrameType.Request:
        return this.onRequest(buffer, start, end, flags, id)
      case FrameType.Data:
        return this.onData(buffer, start, end, flags, id)
      case FrameType.End:
        return this.onEndFrame(id)
      case FrameType.Error:
        return this.onErrorFrame(buffer, start, end, id)
      case FrameType.Cancel:
        return this.onCancel(buffer, start, end, id)
      case FrameType.Credit:
        return this.onCredit(buffer, start, end, id)
      case FrameType.Notify:
        return this.onNotify(buffer, start, end, flags, id)
      default:
        throw protocolError('frame type not agreed on')
    }
  }

  private onRequest(
    buffer: Uint8Array,
    start: number,
    end: number,
    flags: number,
    id: number,
  ): void {
    this.table.receive(id)
    // After GOAWAY the caller knows that these are not accepted; what it had sent of them is dropped.
    if (this.state === 'draining') return this.table.allowLate(this.runtime.limits.window)
    this.acceptedId = id
    const { fields, runtime } = this
    fields.parse(buffer, start, end)
    const method = this.methodOf(buffer, flags)
    const refusal = this.refusalOf(method)
    if (refusal !== undefined) {
      this.table.allowLate(runtime.limits.window)
      runtime.metrics?.count('calls_refused', refusal.code)
      return this.session.writeControl(failureFrame(id, refusal))
    }
    runtime.metrics?.count('calls_served', method!.name)
    const call = new IncomingCall(this, id, method!, this.codecsOf(method!, flags))
    this.table.open(id, call)
    this.slotHolders.add(call)
    this.stalls.begin()
    this.judge(call, call.onRequest(buffer, flags, fields, end))
  }

  /** Both directions of a call have the same codec. */
  private codecsOf(method: ServedMethod, flags: number): MethodCodecs {
    return method.codecs[(flags & Flag.Named) === 0 ? this.codec : 0]!
  }

  private methodOf(buffer: Uint8Array, flags: number): ServedMethod | undefined {
    const { fields, dispatcher } = this
    if ((flags & Flag.Named) === 0) return dispatcher.byId(fields.method)
    const name = decodeUtf8(buffer, fields.nameStart, fields.nameEnd)
    return name === undefined ? undefined : dispatcher.byName(name)
  }

  private refusalOf(method: ServedMethod | undefined): WireFailure | undefined {
    const { limits, overload, metrics } = this.runtime
    if (method === undefined || method.definition.kind === 'event')
      return failure('unimplemented', 'no such method', 'no')
    if (this.slotHolders.size >= limits.maxCalls) {
      metrics?.count('limit_hits', 'maxCalls')
      return refusedBy('maxCalls', limits.maxCalls, tryAgainMs)
    }
    if (this.fields.metaEnd - this.fields.metaStart > limits.maxMeta) {
      metrics?.count('limit_hits', 'maxMeta')
      return refusedBy('maxMeta', limits.maxMeta)
    }
    const retryAfterMs = overload?.()
    if (retryAfterMs === undefined) return undefined
    metrics?.count('limit_hits', 'maxLagMs')
    return failure('unavailable', 'overloaded: over limits.maxLagMs', 'no', retryAfterMs)
  }

  private onData(buffer: Uint8Array, start: number, end: number, flags: number, id: number): void {
    const { fields } = this
    fields.parse(buffer, start, end)
    const cost =
      end - fields.payloadStart + fields.metaEnd - fields.metaStart + this.runtime.limits.frameCost
    const call = this.table.find(id, cost)
    if (call === undefined) return
    if (call instanceof IncomingCall && call.inputEnded) return this.onDataAfterEnd(call, cost)
    if ((flags & Flag.More) === 0 && (flags & Flag.Cont) === 0 && call.midMessage)
      throw protocolError('a message begins inside another')
    if (call instanceof IncomingCall && !call.method.streamsIn && !call.midMessage)
      throw protocolError('DATA for a call with one input')
    this.judge(call, call.onData(buffer, flags, fields, end))
  }

  /** Late if this side has told the caller to stop, else a broken rule. */
  private onDataAfterEnd(call: IncomingCall, cost: number): void {
    if (call.endedByCaller) throw protocolError('frame after END')
    this.table.chargeLate(cost)
  }

  private onEndFrame(id: number): void {
    const call = this.table.find(id, 0)
    if (call === undefined) return
    if (call.midMessage) throw protocolError('END inside a message')
    if (call instanceof IncomingCall && call.inputEnded) return this.onDataAfterEnd(call, 0)
    call.onEnd()
  }

  private onErrorFrame(buffer: Uint8Array, start: number, end: number, id: number): void {
    const call = this.table.find(id, 0)
    if (call === undefined) return
    if (call instanceof OutgoingCall) return call.onError(buffer, start, end)
    call.onError(readFailure(buffer, start, end, this.runtime.limits, call.method.definition))
  }

  private onCancel(buffer: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== headerBytes + 1) throw protocolError('malformed CANCEL')
    const call = this.table.find(id, 0)
    if (call === undefined) return
    if (call instanceof OutgoingCall) return call.onCancel()
    // Whoever has had an item has paid for the call: leaving a loop is no abuse.
    if (!call.answering) this.spendReset()
    const code = codeOf(buffer[start + headerBytes]!) ?? 'cancelled'
    call.onCancel(new RpcError(code, 'the caller gave the call up', { processed: 'yes' }))
  }

  private onCredit(buffer: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== headerBytes + 4) throw protocolError('malformed CREDIT')
    const bytes = readU32(buffer, start + headerBytes)
    if (id === 0) this.events.onCredit(bytes)
    else {
      const call = this.table.find(id, 0)
      if (call !== undefined && !call.onCredit(bytes)) return this.onCreditViolation(call)
    }
    if (bytes < (id === 0 ? eventWindow : this.peer.window) * tinyShare) this.session.spendControl()
  }

  private onNotify(
    buffer: Uint8Array,
    start: number,
    end: number,
    flags: number,
    id: number,
  ): void {
    if (id !== 0) throw protocolError('stream id on NOTIFY')
    const { fields, events, runtime } = this
    fields.parse(buffer, start, end)
    const { metaStart, metaEnd, payloadStart } = fields
    const cost = end - payloadStart + metaEnd - metaStart + runtime.limits.frameCost
    events.receive(cost)
    const method = this.methodOf(buffer, flags)
    if (
      method === undefined ||
      method.definition.kind !== 'event' ||
      metaEnd - metaStart > runtime.limits.maxMeta
    )
      return events.drop(cost, 'unknown method, or over limits.maxMeta')
    const meta = new Uint8Array(buffer.subarray(metaStart, metaEnd))
    const event = { method, codecs: this.codecsOf(method, flags), meta, nodes: 0 }
    this.admission.admit(events.arrived(event, cost), buffer, payloadStart, end)
  }

  private judge(call: OutgoingCall | IncomingCall, received: Received): void {
    if (received === 'ok') return
    if (received === 'beyond credit') return this.onCreditViolation(call)
    const { limits, metrics } = this.runtime
    metrics?.count('limit_hits', 'maxMessage')
    const text = `message over limits.maxMessage (${limits.maxMessage} bytes)`
    if (call instanceof IncomingCall)
      this.giveUp(call, failure('resource_exhausted', text, call.begun ? 'yes' : 'no'))
    else call.abandon(new RpcError('resource_exhausted', text, { processed: 'yes' }))
  }

  /** The first costs the call, the second the connection. */
  private onCreditViolation(call: OutgoingCall | IncomingCall): void {
    this.creditViolations += 1
    if (this.creditViolations > 1)
      throw new ConnectionError('flow_control', 'credit violated twice')
    const text = 'credit violated'
    if (call instanceof IncomingCall) this.giveUp(call, failure('flow_control', text, 'yes'))
    else call.abandon(new RpcError('flow_control', text, { processed: 'yes' }))
  }

  /** The caller takes nothing more, and holds its slot. */
  private onStalled(call: IncomingCall): void {
    this.runtime.metrics?.count('limit_hits', 'streamStallMs')
    call.giveUpAnswer('resource_exhausted', 'no credit within limits.streamStallMs')
  }

  /** The caller has spoiled its call. */
  private giveUp(call: IncomingCall, wire: WireFailure): void {
    this.endOne(call, wire)
    this.spendReset()
  }

  private endOne(call: IncomingCall, wire: WireFailure): void {
    call.end(wire)
    call.abort(new RpcError(wire.code, 'the call was given up', { processed: 'yes' }))
  }

  // Session

  onWritable(): void {
    if (this.admission.length > 0) this.admission.pump()
  }

  onLimits(limits: Partial<PeerLimits>): void {
    this.peer = { ...this.peer, ...limits }
    this.writerTerms = this.newTerms()
    this.slots.sendWaiting()
  }

  onAuth(map: Readonly<Record<string, unknown>>): void {
    this.owner.onAuth(map)
  }

  onParked(reason: string): void {
    this.owner.onParked(reason)
  }

  onResumed(): void {
    this.owner.onResumed()
  }

  onDrain(lastAcceptedId: number, reconnectAfterMs: number | undefined): void {
    if (this.state === 'ended') return
    this.state = 'drained'
    const back: Startable[] = []
    for (const call of this.table.values())
      if (call instanceof OutgoingCall && this.isRefused(call.id, lastAcceptedId)) {
        this.table.close(call.id, 0)
        if (call.rewind(true)) back.push(call)
        else call.onSessionEnd('unavailable', 'the peer is shutting down', true)
      }
    // Those that wait for the link have no id yet: they would be sent, and dropped there.
    for (const call of this.transmitting) if (call.rewind(true)) back.push(call)
    this.transmitting.clear()
    back.push(...this.takeWaiting())
    this.owner.onDrain(reconnectAfterMs)
    this.owner.takeBack(back)
    this.checkIdle()
  }

  private isRefused(id: number, lastAcceptedId: number): boolean {
    return lastAcceptedId === 0 || isAhead(id, lastAcceptedId)
  }

  private takeWaiting(): readonly Startable[] {
    return [...this.events.takeUnsent(), ...this.slots.takeBack()]
  }

  onEnd(end: SessionEnd): void {
    this.state = 'ended'
    this.admission.close()
    this.stalls.close()
    const back: Startable[] = []
    const calls = [...this.table.values(), ...this.transmitting]
    this.table.clear()
    this.transmitting.clear()
    for (const call of calls) {
      if (call instanceof IncomingCall) {
        call.onSessionEnd(
          new RpcError('cancelled', 'the connection of the caller is gone', { cause: end.cause }),
        )
        continue
      }
      const refused =
        end.lastAcceptedId !== undefined && this.isRefused(call.id, end.lastAcceptedId)
      if (call.state === 'sending' && call.rewind(false)) back.push(call)
      else call.onSessionEnd(end.code, end.reason, refused)
    }
    for (const call of this.slotHolders.all()) {
      this.slotHolders.delete(call)
      call.onSessionEnd(
        new RpcError('cancelled', 'the connection of the caller is gone', { cause: end.cause }),
      )
    }
    for (const listener of this.endListeners) listener()
    this.endListeners.clear()
    back.push(...this.takeWaiting())
    this.owner.onEnd(end)
    this.owner.takeBack(back)
    this.checkIdle()
  }

  whenEnded(listener: () => void): () => void {
    this.endListeners.add(listener)
    return () => this.endListeners.delete(listener)
  }

  // Shutting down

  /** Fails every call of the peer that still runs: the grace of a shutdown is over. */
  endIncoming(wire: WireFailure): void {
    for (const call of this.slotHolders.all()) this.endOne(call, wire)
  }

  /** Ends streams that their callers can go on with elsewhere: they know the last cursor. */
  endResumable(wire: WireFailure): void {
    for (const call of this.slotHolders.all())
      if (call.method.definition.cursor !== undefined) this.endOne(call, wire)
  }

  /** Accepts no further calls; resolves when those that run have settled, handlers included. */
  drain(reconnectAfterMs?: number): Promise<void> {
    if (this.state === 'open') {
      this.state = 'draining'
      this.session.drain(reconnectAfterMs)
    }
    return this.idle()
  }

  /** Resolves when no call is open and no handler runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle = resolve
      this.checkIdle()
    })
  }

  private checkIdle(): void {
    if (this.whenIdle === undefined) return
    if (this.state !== 'ended' && (this.table.size > 0 || this.slotHolders.size > 0)) return
    this.whenIdle()
    this.whenIdle = undefined
  }
}

/** Over a limit, before the handler has begun. */
function refusedBy(limit: keyof Limits, value: number, retryAfterMs?: number): WireFailure {
  return failure('resource_exhausted', `over limits.${limit} (${value})`, 'no', retryAfterMs)
}
