// One case after the opening handshake, with the tested end at the other side of a line.
//   in  -> the exchange and the end of a case; a line of bytes
//   out -> nothing, or a Fault that says what was expected and what came instead

import type { Duplex } from 'node:stream'
import { close, gotPong, ping, type Case, type End, type Exchange, type Expected } from './case.ts'
import { Fault, Inbox, type Compression } from './inbox.ts'
import { encodeFrame, show, type Frame, type Role } from './wire.ts'

export interface Line {
  readonly stream: Duplex
  /** Bytes are written one by one. */
  readonly split: boolean
  /** Instead of one: bytes of the next piece, of all that are written. */
  readonly pieces?: ((total: number) => number) | undefined
}

type Data = Extract<Expected, { kind: 'text' | 'binary' }>
type Pong = Extract<Expected, { kind: 'pong' }>

/** Where no exchange is given: the connection is alive. */
const sign: readonly Exchange[] = [{ send: [ping('sign')], expect: [gotPong('sign')] }]

export function exchangeOf({ exchange, end = { kind: 'open' } }: Case): readonly Exchange[] {
  return exchange ?? (end.kind === 'open' ? sign : [])
}

/** Written one by one up to here, and at both ends beyond. */
const splitBytes = 5_000

export class Conversation {
  private readonly line: Line
  private readonly subject: Role
  private readonly inbox: Inbox
  private dataDue: Data[] = []
  private pongsDue: Pong[] = []
  private closed: { readonly code: number; readonly reason: Uint8Array } | undefined
  private ended = false
  private fault: Error | undefined
  private sentClose = false
  private wake: () => void = () => undefined
  private awaited: () => string = () => 'opening handshake'

  constructor(line: Line, subject: Role, compression: Compression | undefined) {
    this.line = line
    this.subject = subject
    this.inbox = new Inbox(subject, compression, {
      message: (kind, payload, compressed) => this.gotData(kind, payload, compressed),
      pong: (payload) => this.gotPong(payload),
      close: (code, reason) => {
        this.closed = { code, reason }
      },
    })
  }

  /** Bytes of the tested end. */
  push(chunk: Uint8Array): void {
    if (this.fault !== undefined) return
    try {
      this.inbox.push(chunk)
    } catch (error) {
      this.fault = error as Error
    }
    this.wake()
  }

  /** The tested end has ended its side, or reset the connection. */
  end(): void {
    this.ended = true
    this.wake()
  }

  /** Time is up. */
  expire(): void {
    this.fault ??= new Fault(`there was no ${this.awaited()}`)
    this.wake()
  }

  /** `first`: what the first step sends is on its way already. */
  async run(exchange: readonly Exchange[], end: End, first = false): Promise<void> {
    for (const [index, step] of exchange.entries()) {
      for (const due of step.expect) {
        if (due.kind === 'pong') this.pongsDue.push(due)
        else this.dataDue.push(due)
      }
      this.sentClose ||= step.send.some(
        (part) => !(part instanceof Uint8Array) && part.opcode === 8,
      )
      if (!(first && index === 0)) this.write(encodeAll(step.send, this.subject))
      await this.until(
        () => this.nothingDue,
        () => this.dueText(),
      )
    }
    await this.finish(end)
    if (this.inbox.pending && !this.sentClose) throw new Fault('it ended inside a frame')
  }

  private async finish(end: End): Promise<void> {
    if (end.kind === 'gone') return this.vanish(end.by)
    if (end.kind === 'open') {
      this.sentClose = true
      this.write(encodeFrame(close(1000), this.subject))
    }
    const codes = 'codes' in end ? end.codes : [1000]
    await this.until(
      () => this.closed !== undefined,
      () => `close with ${codes.join(' or ')}`,
    )
    const { code, reason } = this.closed!
    if (!codes.includes(code)) throw new Fault(`closed with ${code}, not ${codes.join(' or ')}`)
    if (end.kind === 'close' && end.reason !== undefined && !same(end.reason, reason))
      throw new Fault(`closed for ${show(reason)}, not ${show(end.reason)}`)
    if (!this.sentClose && end.kind !== 'unanswered')
      this.write(encodeFrame(code === 1005 ? close() : close(code), this.subject))
    // Section 7.1.1: the server is the first to end the connection.
    if (this.subject === 'client' && end.kind !== 'unanswered') this.line.stream.end()
    await this.until(
      () => this.ended,
      () => 'end of the connection',
    )
    this.line.stream.end()
  }

  private async vanish(by: 'end' | 'reset' | 'itself'): Promise<void> {
    const { stream } = this.line
    if (by === 'reset') {
      // After all that was written.
      await new Promise((resolve) => stream.write(Buffer.alloc(0), resolve))
      if ('resetAndDestroy' in stream) (stream.resetAndDestroy as () => void)()
      else stream.destroy()
      return
    }
    if (by === 'end') stream.end()
    await this.until(
      () => this.ended,
      () => 'end of the connection',
    )
    if (this.closed !== undefined) throw new Fault(`closed with ${this.closed.code}, not silently`)
    stream.end()
  }

  private write(bytes: Uint8Array): void {
    writeTo(this.line, bytes)
  }

  private get nothingDue(): boolean {
    return this.dataDue.length === 0 && this.pongsDue.every(({ optional }) => optional === true)
  }

  private dueText(): string {
    const due = [...this.dataDue, ...this.pongsDue][0]!
    return `${due.kind} of ${show(due.payload)}`
  }

  private gotData(kind: 'text' | 'binary', payload: Uint8Array, compressed: boolean): void {
    const due = this.dataDue.shift()
    if (due === undefined) throw new Fault(`an unexpected ${kind} of ${show(payload)}`)
    if (due.kind !== kind) throw new Fault(`a ${kind}, not a ${due.kind}`)
    if (!same(due.payload, payload))
      throw new Fault(`a ${kind} of ${show(payload)}, not of ${show(due.payload)}`)
    if (due.compressed !== undefined && due.compressed !== compressed)
      throw new Fault(compressed ? 'a compressed message' : 'a message that is not compressed')
  }

  private gotPong(payload: Uint8Array): void {
    const at = this.pongsDue.findIndex((due) => same(due.payload, payload))
    if (at === -1 || this.pongsDue.slice(0, at).some(({ optional }) => optional !== true))
      throw new Fault(`an unexpected pong of ${show(payload)}`)
    this.pongsDue.splice(0, at + 1)
  }

  /** Waits for what is expected. The connection's end is the end of waiting. */
  private async until(done: () => boolean, what: () => string): Promise<void> {
    this.awaited = what
    for (;;) {
      if (this.fault !== undefined) throw this.fault
      if (done()) return
      if (this.ended) throw new Fault(`the connection ended before ${what()}`)
      if (this.closed !== undefined && !this.nothingDue) {
        const { code, reason } = this.closed
        throw new Fault(`closed with ${code} '${Buffer.from(reason).toString()}' before ${what()}`)
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}

/** Frames, and bytes that are none, in their order. */
export function encodeAll(parts: readonly (Frame | Uint8Array)[], to: Role): Uint8Array {
  return Buffer.concat(
    parts.map((part) => (part instanceof Uint8Array ? part : encodeFrame(part, to))),
  )
}

export function writeTo({ stream, split, pieces }: Line, bytes: Uint8Array): void {
  if (bytes.length === 0) return
  if (!split) {
    stream.write(bytes)
    return
  }
  for (let at = 0; at < bytes.length;) {
    const near = bytes.length <= splitBytes || at < 200 || at >= bytes.length - 200
    const size = pieces?.(bytes.length) ?? (near ? 1 : Math.min(1_021, bytes.length - 200 - at))
    stream.write(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
