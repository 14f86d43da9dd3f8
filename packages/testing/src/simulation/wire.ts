// What must hold on the wire, whatever happens to it: positions, replay, credit, order, silence.
//   in  -> every frame written and every frame delivered, of honest hosts
//   out -> violations
// Knows the protocol from the outside: it reads frames, and compares them with what it has seen.
// Frames of hosts that break rules are left out.

import {
  readHello,
  readWelcome,
  resolveLimits,
  type HelloTerms,
  type Limits,
  type WelcomeTerms,
} from '@callbox/core/internal'
import type { Host } from './host.ts'
import type { Line, LineEnd, LineTap, Way } from './line.ts'
import { digestOf, frameOf, type WireFrame } from './wire-frame.ts'
import { WireStreams } from './wire-streams.ts'

/** Something that must not be. `invariant` is one of I1 to I12, or `bound`. */
export interface Violation {
  readonly invariant: string
  readonly atMs: number
  readonly text: string
}

const Hello = 0x01
const Welcome = 0x02
const Ping = 0x03
const Pong = 0x04
const Ack = 0x05
const GoAway = 0x06
const firstStreamType = 0x10

/** Judging silence takes so much longer than the session, in milliseconds. */
const patienceMs = 1_000
/** A client waits so much longer than a server. */
const clientPatienceMs = 5_000
/** Longest that an end may owe an acknowledgment: ten times what it should. */
const ackPatienceMs = 1_000
/** Longest that a link may live on once another has its session, in milliseconds. */
const fencedPatienceMs = 3_000
/** What an end may send while little comes; what more bytes allow is `ackBytes` at its least. */
const acksPerSecond = 11
const leastAckBytes = 1_000
/** Longest that a PING may wait for its PONG on the other end's side, in milliseconds. */
const pongPatienceMs = 1_000

/** One direction of a session: what was sent for the first time, and how far it has come. */
class Direction {
  /** Digests by position. */
  readonly sent: number[] = []
  /** When the deadline passes that a REQUEST states, by position. */
  readonly dueMs: Map<number, number> = new Map<number, number>()
  delivered = 0
  /** Position that the receiver has told last. */
  told = 0
  /** When the first frame after that position came, in milliseconds; -1 if there is none. */
  owedSinceMs = -1
}

/** One session, over all its lines. */
class WireSession {
  readonly up = new Direction()
  readonly down = new Direction()
  line: Line | undefined
  /** When it got that line, in milliseconds. */
  sinceMs = 0
  /** The server has said that it takes no further calls. */
  draining = false
  /** When its server gave its last link up, in milliseconds; -1 while it has one. */
  parkedMs = -1
  /** The same for its client. */
  lostMs = -1
  /** An end has ended it for good, or will. */
  over = false
  readonly graceMs: number
  /** Its credential runs out, and the session with it. */
  readonly expires: boolean
  /** The token that its client is known to have, and those that are worth nothing any more. */
  token: string
  readonly retired: Set<string> = new Set<string>()
  readonly streams: WireStreams

  constructor(hello: HelloTerms, welcome: WelcomeTerms, report: (text: string) => void) {
    this.graceMs = welcome.session?.graceMs ?? 0
    this.expires = welcome.expiresInMs !== undefined
    this.token = welcome.session?.token.join() ?? ''
    this.streams = new WireStreams({ up: welcome.limits.window, down: hello.limits.window }, report)
  }
}

interface LineState {
  hello: HelloTerms | undefined
  welcome: WelcomeTerms | undefined
  session: WireSession | undefined
  /** Position of the next stream frame of each direction. */
  readonly next: { up: number; down: number }
  welcomedMs: number
  /** WELCOME has come: until then the client's patience is another. */
  arrived: boolean
  readonly openedMs: number
  /** When a PING came that has no PONG yet, in milliseconds; -1 without one. */
  readonly pingedMs: { near: number; far: number }
  saidGoAway: boolean
  /** An end has said GOAWAY for good: its session is over. */
  readonly over: { near: boolean; far: boolean }
  readonly frozenMs: { near: number; far: number }
  /** ACKs of both ends within the last second, and the bytes that had come before it. */
  readonly acks: { sinceMs: number; count: number; bytes: number }
}

export interface WireCheckerOptions {
  readonly nowMs: () => number
  /** Whether a host breaks rules: nothing is asked of its lines. */
  readonly isHostile?: ((line: Line) => boolean) | undefined
}

export class WireChecker implements LineTap {
  readonly violations: Violation[] = []
  /** Frames written, by type. */
  readonly counts: Map<number, number> = new Map<number, number>()
  /** Bytes of stream frames that were sent again, and how many resumes there were. */
  resentBytes = 0
  resumes = 0
  private readonly limits: Limits = resolveLimits()
  private readonly states = new Map<Line, LineState>()
  /** Tokens that a WELCOME has given, as long as nothing has come back over its line. */
  private readonly given = new Map<Line, string>()
  private readonly sessions = new Map<string, WireSession>()
  /** Servers that shut down: they may end a session without a link as soon as nothing runs there. */
  private readonly leaving = new Set<Host>()
  private readonly lastOf = new Map<Host, WireSession>()
  private readonly nowMs: () => number
  private readonly isHostile: (line: Line) => boolean

  constructor(options: WireCheckerOptions) {
    this.nowMs = options.nowMs
    this.isHostile = options.isHostile ?? (() => false)
  }

  private fail(invariant: string, text: string): void {
    // The first of a kind says most; a run that goes wrong can say it a thousand times.
    if (this.violations.length < 50)
      this.violations.push({ invariant, atMs: Math.round(this.nowMs()), text })
  }

  private stateOf(line: Line): LineState {
    let state = this.states.get(line)
    if (state === undefined)
      this.states.set(
        line,
        (state = {
          hello: undefined,
          welcome: undefined,
          session: undefined,
          next: { up: 0, down: 0 },
          welcomedMs: 0,
          arrived: false,
          openedMs: this.nowMs(),
          pingedMs: { near: -1, far: -1 },
          saidGoAway: false,
          over: { near: false, far: false },
          frozenMs: { near: line.near.owner.frozenMs, far: line.far.owner.frozenMs },
          acks: { sinceMs: 0, count: 0, bytes: 0 },
        }),
      )
    return state
  }

  // Written

  onWrite(end: LineEnd, bytes: Uint8Array): void {
    const type = bytes[0]!
    this.counts.set(type, (this.counts.get(type) ?? 0) + 1)
    if (this.isHostile(end.line)) return
    const state = this.stateOf(end.line)
    const way = end.side === 'near' ? 'up' : 'down'
    if (type >= firstStreamType) return this.onStreamFrame(end, state, way, frameOf(bytes))
    if (type === Hello) state.hello = readHello(bytes, 0, bytes.length, this.limits)
    else if (type === Welcome) this.onWelcome(end.line, state, bytes)
    else if (type === GoAway) this.onGoAway(end, state, bytes)
    else if (type >= Ping && type <= Ack) this.onPosition(end, state, bytes)
  }

  private onWelcome(line: Line, state: LineState, bytes: Uint8Array): void {
    const { hello } = state
    if (hello === undefined) return this.fail('I10', `line ${line.ordinal}: WELCOME before HELLO`)
    const welcome = readWelcome(bytes, 0, bytes.length, this.limits)
    state.welcome = welcome
    state.welcomedMs = this.nowMs()
    const id = welcome.session === undefined ? `line ${line.ordinal}` : welcome.session.id.join()
    if (welcome.resumed) return this.onResume(line, state, hello, welcome, id)
    if (hello.session !== undefined) this.onRefusal(line, hello.session.id.join())
    else this.onFresh(line)
    if (this.sessions.has(id)) this.fail('I9', `line ${line.ordinal}: a new session has an old id`)
    const report = (text: string): void => this.fail('I6', `line ${line.ordinal}: ${text}`)
    state.session = new WireSession(hello, welcome, report)
    state.session.line = line
    state.session.sinceMs = this.nowMs()
    this.sessions.set(id, state.session)
  }

  /** A session that could have been resumed was not: whoever waits for its answers is told wrong. */
  private onRefusal(line: Line, id: string): void {
    const session = this.sessions.get(id)
    const last = session?.line
    if (session === undefined || last === undefined || session.over || session.expires) return
    if (last.far.owner !== line.far.owner || this.leaving.has(line.far.owner)) return
    const parkedMs = session.parkedMs < 0 ? 0 : this.nowMs() - session.parkedMs
    if (parkedMs < session.graceMs - patienceMs)
      this.fail('I9', `line ${line.ordinal}: a session is refused that could go on`)
  }

  /** A client begins anew, though the session that it had could go on. */
  private onFresh(line: Line): void {
    const session = this.lastOf.get(line.near.owner)
    if (session === undefined || session.over || session.expires || session.draining) return
    if (session.line?.far.owner !== line.far.owner || session.lostMs < 0) return
    if (this.leaving.has(line.far.owner)) return
    if (this.nowMs() - session.lostMs < session.graceMs - patienceMs)
      this.fail('I9', `line ${line.ordinal}: a client has forgotten a session that could go on`)
  }

  private onResume(
    line: Line,
    state: LineState,
    hello: HelloTerms,
    welcome: WelcomeTerms,
    id: string,
  ): void {
    const session = this.sessions.get(id)
    if (session === undefined || hello.session === undefined)
      return this.fail('I9', `line ${line.ordinal}: a session is resumed that nobody asked for`)
    this.resumes += 1
    const { up, down } = session
    const { received } = hello.session
    if (welcome.received !== up.delivered)
      this.fail(
        'I2',
        `line ${line.ordinal}: the server says ${welcome.received}, it has received ${up.delivered}`,
      )
    if (received > down.delivered)
      this.fail(
        'I2',
        `line ${line.ordinal}: the client says ${received}, it has received ${down.delivered}`,
      )
    state.session = session
    state.next.up = welcome.received
    state.next.down = received
    session.line = line
    session.sinceMs = this.nowMs()
    session.parkedMs = -1
    this.onToken(line, session, hello.session.token.join(), welcome.session?.token.join() ?? '')
    up.owedSinceMs = down.owedSinceMs = -1
    up.told = welcome.received
    down.told = received
  }

  /** The token of HELLO, and the one that WELCOME gives for it. */
  private onToken(line: Line, session: WireSession, asked: string, given: string): void {
    if (session.retired.has(asked))
      this.fail('I9', `line ${line.ordinal}: a token resumes that was retired`)
    if (given === session.token)
      this.fail('I9', `line ${line.ordinal}: the token is not another one after a resume`)
    this.given.set(line, given)
  }

  /** Something has come over the new link: its client has the new token, the old is worth nothing. */
  private onConfirmed(line: Line, session: WireSession): void {
    const given = this.given.get(line)
    if (given === undefined) return
    this.given.delete(line)
    if (given !== session.token) session.retired.add(session.token)
    session.token = given
  }

  private onStreamFrame(end: LineEnd, state: LineState, way: Way, frame: WireFrame): void {
    const { session } = state
    const { ordinal } = end.line
    if (session === undefined)
      return this.fail('I10', `line ${ordinal}: a stream frame before WELCOME`)
    if (session.line !== end.line)
      return this.fail('I9', `line ${ordinal}: a stream frame on a link that was replaced`)
    const position = state.next[way]
    state.next[way] += 1
    const { sent } = session[way]
    const digest = digestOf(frame)
    if (position === sent.length) {
      sent.push(digest)
      if (frame.deadlineAt >= 0)
        session[way].dueMs.set(position, this.nowMs() + u32At(frame.bytes, frame.deadlineAt))
      return session.streams.onSent(way, frame)
    }
    this.resentBytes += frame.bytes.length
    const dueMs = session[way].dueMs.get(position)
    if (dueMs !== undefined) {
      const left = u32At(frame.bytes, frame.deadlineAt)
      if (left > 0 && this.nowMs() + left > dueMs + 2)
        this.fail('I1', `line ${ordinal}: a REQUEST sent again has more time than it had`)
    }
    if (position > sent.length || sent[position] !== digest)
      this.fail('I2', `line ${ordinal}: frame ${position} ${way} is not the one sent there before`)
  }

  private onGoAway(end: LineEnd, state: LineState, bytes: Uint8Array): void {
    const code = bytes[6]!
    state.saidGoAway = true
    const isDrain = code === 14 && state.session !== undefined
    if (code === 14) this.leaving.add(end.owner)
    if (isDrain && end.side === 'far') state.session!.draining = true
    else {
      state.over[end.side] = true
      // Replaced: the session lives on over another link.
      if (code !== 10 && state.session?.line === end.line) state.session.over = true
    }
  }

  private onPosition(end: LineEnd, state: LineState, bytes: Uint8Array): void {
    const { session } = state
    if (bytes[0] === Pong) state.pingedMs[end.side] = -1
    if (session === undefined || session.line !== end.line) return
    const direction = session[end.side === 'near' ? 'down' : 'up']
    const told = u32At(bytes, bytes.length - 4)
    if (told !== direction.delivered)
      this.fail(
        'I2',
        `line ${end.line.ordinal}: ${end.side} acknowledges ${told}, ${direction.delivered} have come`,
      )
    direction.told = told
    direction.owedSinceMs = -1
    if (bytes[0] === Ack) this.onAck(end.line, state, session)
  }

  /** Ten a second while little is sent, one for each `ackBytes` of more. */
  private onAck(line: Line, state: LineState, session: WireSession): void {
    const { acks } = state
    const { deliveredBytes } = session.streams
    if (this.nowMs() - acks.sinceMs > 1_000)
      Object.assign(acks, { sinceMs: this.nowMs(), count: 0, bytes: deliveredBytes })
    acks.count += 1
    const most = 2 * acksPerSecond + (deliveredBytes - acks.bytes) / leastAckBytes
    if (acks.count > most)
      this.fail('bound', `line ${line.ordinal}: ${acks.count} ACKs in a second`)
  }

  // Delivered

  onFrame(end: LineEnd, bytes: Uint8Array): void {
    if (bytes[0] === Welcome) this.lastOf.delete(end.owner)
    if (this.isHostile(end.line)) return
    const state = this.stateOf(end.line)
    if (bytes[0] === Welcome) this.onArrival(end, state)
    if (bytes[0] === Ping && !state.over[end.side]) state.pingedMs[end.side] = this.nowMs()
    if (end.side === 'far' && state.session?.line === end.line)
      this.onConfirmed(end.line, state.session)
    if (bytes[0]! < firstStreamType) return
    const { session } = state
    // What comes over a link that was replaced, or after the end, goes nowhere.
    if (session?.line !== end.line || state.over[end.side]) return
    const way = end.side === 'near' ? 'down' : 'up'
    const direction = session[way]
    direction.delivered += 1
    if (direction.owedSinceMs < 0) direction.owedSinceMs = this.nowMs()
    session.streams.onDelivered(way, frameOf(bytes))
  }

  /** The client has WELCOME. */
  private onArrival(end: LineEnd, state: LineState): void {
    state.arrived = true
    if (state.session === undefined) return
    state.session.lostMs = -1
    this.lastOf.set(end.owner, state.session)
  }

  onClose(end: LineEnd, reason: string): void {
    const state = this.states.get(end.line)
    if (state === undefined || this.isHostile(end.line)) return
    const { session, welcome } = state
    if (session?.line === end.line) {
      if (end.side === 'far') session.parkedMs = this.nowMs()
      else if (state.arrived) session.lostMs = this.nowMs()
    }
    if (reason !== 'peer is silent' || welcome === undefined) return
    // A PING that measures asks as well: then the silence is that of its PONG.
    const { timeoutMs } = welcome.keepalive
    const silentMs = this.nowMs() - end.framedUs / 1_000
    if (silentMs < timeoutMs - 1 && end.owner.frozenMs === state.frozenMs[end.side])
      this.fail(
        'bound',
        `line ${end.line.ordinal}: ${end.side} gave it up after a silence of ${Math.round(silentMs)} ms`,
      )
  }

  // From time to time

  /** Looks at what only time shows. */
  look(): void {
    for (const [line, state] of this.states) {
      if (!line.open) {
        this.states.delete(line)
        continue
      }
      for (const end of [line.near, line.far]) {
        this.lookForSilence(end, state)
        this.lookForAcks(end, state)
        this.lookForPongs(end, state)
      }
      this.lookForHandshake(line, state)
      this.lookAtLine(line, state)
    }
  }

  /** Time for which an end could have done something, of `ms`. */
  private awakeMs(end: LineEnd, state: LineState, ms: number): number {
    return ms - (end.owner.frozenMs - state.frozenMs[end.side])
  }

  private lookForSilence(end: LineEnd, state: LineState): void {
    if (end.state !== 'open' || end.paused || state.welcome === undefined) return
    if (end.side === 'near' && !state.arrived) return
    const { intervalMs, timeoutMs } = state.welcome.keepalive
    const most = intervalMs + timeoutMs + patienceMs + (end.side === 'near' ? clientPatienceMs : 0)
    const silentMs = this.awakeMs(end, state, this.nowMs() - end.heardUs / 1_000)
    if (silentMs > most)
      this.fail(
        'bound',
        `line ${end.line.ordinal}: ${end.side} has not noticed a silence of ${Math.round(silentMs)} ms`,
      )
  }

  private lookForAcks(end: LineEnd, state: LineState): void {
    const { session } = state
    if (session?.line !== end.line || end.state !== 'open' || state.over[end.side]) return
    const { owedSinceMs } = session[end.side === 'near' ? 'down' : 'up']
    if (owedSinceMs < 0) return
    const owedMs = this.awakeMs(end, state, this.nowMs() - owedSinceMs)
    if (owedMs > ackPatienceMs)
      this.fail(
        'bound',
        `line ${end.line.ordinal}: ${end.side} owes an acknowledgment for ${Math.round(owedMs)} ms`,
      )
  }

  private lookForPongs(end: LineEnd, state: LineState): void {
    const pingedMs = state.pingedMs[end.side]
    if (pingedMs < 0 || end.state !== 'open' || state.over[end.side]) return
    if (this.awakeMs(end, state, this.nowMs() - pingedMs) > pongPatienceMs)
      this.fail('bound', `line ${end.line.ordinal}: ${end.side} does not answer a PING`)
  }

  /** A handshake ends, one way or the other. */
  private lookForHandshake(line: Line, state: LineState): void {
    const ageMs = this.nowMs() - state.openedMs
    const { connectMs, handshakeMs } = this.limits
    const nearMs = this.awakeMs(line.near, state, ageMs)
    if (!state.arrived && line.near.state === 'open' && nearMs > connectMs + patienceMs)
      this.fail('bound', `line ${line.ordinal}: near waits ${Math.round(nearMs)} ms for WELCOME`)
    const farMs = this.awakeMs(line.far, state, ageMs)
    const greeted = state.welcome !== undefined
    if (!greeted && line.far.state === 'open' && farMs > handshakeMs + patienceMs + connectMs)
      this.fail('bound', `line ${line.ordinal}: far waits ${Math.round(farMs)} ms for a client`)
  }

  private lookAtLine(line: Line, state: LineState): void {
    const { session } = state
    if (session === undefined) return
    const ageMs = this.awakeMs(line.far, state, this.nowMs() - state.welcomedMs)
    if (session.line === line) {
      if (session.draining && !state.saidGoAway && line.far.state === 'open' && ageMs > patienceMs)
        this.fail('bound', `line ${line.ordinal}: the GOAWAY of a drain was not repeated`)
      return
    }
    const fencedMs = this.awakeMs(line.far, state, this.nowMs() - session.sinceMs)
    if (line.far.state !== 'closed' && fencedMs > fencedPatienceMs)
      this.fail('I9', `line ${line.ordinal}: lives on though its session has another link`)
  }
}

function u32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}
