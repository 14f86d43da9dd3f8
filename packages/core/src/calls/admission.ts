// Which call or event of the peer may begin now, and which waits because this side holds too much.
//   in  -> first messages, whole; bytes that were released
//   out -> handlers that start, in order; refusals of what waited too long
// While decoded messages are over the receive budget, or too many answers wait for the socket, no
// new handler starts. A small call still passes, unless one waits before it: the handlers that hold
// the budget may depend on it. Items and answers never come through here.

import type { Clock } from '../base/clock.ts'
import type { Limits } from '../base/limits.ts'
import { Queue } from '../base/queue.ts'
import { Timer, type Timers } from '../base/timers.ts'
import type { SchemaCodec } from '../codec/codec.ts'
import { nodeCost, type Ledger } from '../session/ledger.ts'

/** What a message may be charged to pass while the budget is used up, in bytes. */
const smallCharge = 16 * 1024

/** What wants to begin. */
export interface Applicant {
  readonly codec: SchemaCodec
  /** Over before it began: nothing is to be started or refused. */
  readonly gone: boolean
  /** Begins, with its first message. */
  start(payload: Uint8Array, start: number, end: number): void
  /** It waited too long. Events have none: they wait on. */
  refuse?(): void
}

interface Waiting {
  readonly applicant: Applicant
  /** A copy of its own. */
  readonly payload: Uint8Array
  readonly dueAt: number
}

export interface AdmissionParts {
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Limits
  readonly ledger: Ledger
  /** Bytes of messages that have credit and wait only for the socket. */
  readyBytes(): number
}

export class Admission {
  private readonly parts: AdmissionParts
  private readonly waiting = new Queue<Waiting>()
  private pumping = false
  private readonly timer = new Timer(() => this.expire())

  constructor(parts: AdmissionParts) {
    this.parts = parts
  }

  /** How many wait. */
  get length(): number {
    return this.waiting.length
  }

  /** Starts it now or later. The payload `buffer[start, end)` is borrowed. */
  admit(applicant: Applicant, buffer: Uint8Array, start: number, end: number): void {
    if (this.waiting.length === 0 && this.passes(applicant.codec, buffer, start, end))
      return applicant.start(buffer, start, end)
    const { clock, timers, limits, ledger } = this.parts
    // `slice` of a Buffer of Node is a view: it would keep the whole chunk alive.
    const payload = new Uint8Array(buffer.subarray(start, end))
    ledger.buffer(payload.length)
    this.waiting.push({ applicant, payload, dueAt: clock.now() + limits.admissionMs })
    if (!this.timer.armed) timers.arm(this.timer, limits.admissionMs)
  }

  private passes(codec: SchemaCodec, bytes: Uint8Array, start: number, end: number): boolean {
    const { limits, ledger } = this.parts
    if (this.parts.readyBytes() > limits.maxUnsent) return false
    if (ledger.held <= limits.receiveBudget) return true
    if (end - start > smallCharge) return false
    return end - start + nodeCost * codec.count(bytes, start, end) <= smallCharge
  }

  /** Something was released, or the socket takes more. */
  pump(): void {
    if (this.pumping) return
    this.pumping = true
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      const { applicant, payload } = first
      if (!applicant.gone && !this.passes(applicant.codec, payload, 0, payload.length)) break
      this.drop()
      if (!applicant.gone) applicant.start(payload, 0, payload.length)
    }
    this.pumping = false
  }

  private drop(): void {
    const { payload } = this.waiting.shift()!
    this.parts.ledger.buffer(-payload.length)
  }

  private expire(): void {
    const now = this.parts.clock.now()
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      const { applicant } = first
      if (!applicant.gone && (first.dueAt > now || applicant.refuse === undefined)) break
      this.drop()
      if (!applicant.gone) applicant.refuse?.()
    }
    this.pump()
    const next = this.waiting.peek()
    if (next !== undefined) this.parts.timers.arm(this.timer, Math.max(1, next.dueAt - now))
  }

  /** The session is over. */
  close(): void {
    this.parts.timers.disarm(this.timer)
    this.waiting.clear()
  }
}
