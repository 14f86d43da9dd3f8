// Plays the cases of a raw peer against a client or a server under test.
//   in  -> a case; how the side under test is reached and asked
//   out -> nothing, or an Error that names the step that went wrong
// Checks the outcome rule after each. Needs Node; needs no code of the side under test.

import type { ClientSnapshot, ConnectionSnapshot, ServerSnapshot } from '@callbox/core'
import {
  goAwayOf,
  partsOf,
  rawData,
  rawPing,
  rawRequest,
  rawWelcome,
  type RawFrame,
} from '../raw-frames.ts'
import { fromMsgpack } from '../raw-msgpack.ts'
import type { RawPeer } from '../raw-peer.ts'
import { webSocketFrame } from '../raw-websocket.ts'
import type { Ending, WireCase } from './case.ts'
import { equal, eventually, holds, matches, shown } from './expect.ts'
import { leftOfClient, leftOfServer, overCaps } from './outcome.ts'
import type { ExpectedFrame, Inspected, SettledCall, StartedCall, Step } from './steps.ts'

/** How a server under test is reached, and asked. */
export interface ServerSubject {
  connect(): Promise<RawPeer>
  inspect(): Promise<ServerSnapshot>
  /** Uncaught errors and unhandled rejections so far. */
  problems(): Promise<readonly string[]>
}

/** A client under test that has been told where the raw server is. */
export interface ClientSubject {
  /** Makes a call; its settlement is asked for by its name. */
  call(call: StartedCall): Promise<void>
  settlement(name: string): Promise<Settlement>
  inspect(): Promise<ClientSnapshot>
  close(): Promise<void>
  problems(): Promise<readonly string[]>
}

/** What a call came to. */
export type Settlement =
  | { readonly value: unknown }
  | {
      readonly error: {
        readonly code: string
        readonly processed: string
        readonly message: string
        readonly tag?: string | undefined
      }
    }

const Type = {
  HELLO: 0x01,
  WELCOME: 0x02,
  PING: 0x03,
  PONG: 0x04,
  ACK: 0x05,
  GOAWAY: 0x06,
  REQUEST: 0x10,
  DATA: 0x11,
  END: 0x12,
  ERROR: 0x13,
  CANCEL: 0x14,
  CREDIT: 0x15,
  NOTIFY: 0x16,
} as const
const typeName = (type: number): string =>
  Object.entries(Type).find(([, number]) => number === type)?.[0] ?? `0x${type.toString(16)}`

const stepMs = 10_000
/** Ahead of all ids of the cases. */
const farId = 2 ** 28 + 1

/** Plays a case against a server. */
export async function playServerCase(one: WireCase, subject: ServerSubject): Promise<void> {
  const peer = await subject.connect()
  const play = new Play(peer, async () => (await subject.inspect()).connections[0])
  try {
    if (one.handshake !== false) play.window = windowOf(await peer.handshake(), 4)
    play.skipRead(one.handshake === false ? 0 : 1)
    await play.all(one.steps)
    if (one.ends === undefined) await play.further(one.nextId ?? farId)
    else await play.end(one.ends, one.endsWithinMs)
  } finally {
    await peer.destroy()
  }
  // Whatever became of this connection, another one is served.
  const other = await subject.connect()
  try {
    await other.handshake()
    const next = new Play(other, () => Promise.resolve(undefined))
    next.skipRead(1)
    await next.further(1)
  } finally {
    await other.destroy()
  }
  await eventually(async () => equal(leftOfServer(await subject.inspect()), [], 'left'))
  equal(await subject.problems(), [], 'problems')
}

/** Plays a case against a client. `accept` gives its next connection. */
export async function playClientCase(
  one: WireCase,
  subject: ClientSubject,
  accept: () => Promise<RawPeer>,
): Promise<void> {
  const first = one.steps[0]
  holds(first?.do === 'call', 'a case for a client begins with a call')
  await subject.call(first.call)
  const peer = await within(accept(), 'the client connects')
  const play = new Play(peer, async () => (await subject.inspect()).connection, subject)
  if (one.handshake !== false) await play.welcome()
  await play.all(one.steps.slice(1))
  if (one.ends !== undefined) await play.end(one.ends)
  let last: Play | undefined
  if (one.staysAway !== true) {
    await subject.call({ name: 'further', method: 'notes', timeoutMs: stepMs })
    last = one.ends === undefined ? play : await reconnected(subject, accept)
    await answerNext(last)
    equal(await settled(subject, 'further'), { value: [] }, 'a further call')
  }
  const closing = subject.close()
  await last?.goodbye()
  await closing
  await eventually(async () => equal(leftOfClient(await subject.inspect()), [], 'left'))
  equal(await subject.problems(), [], 'problems')
}

async function reconnected(subject: ClientSubject, accept: () => Promise<RawPeer>): Promise<Play> {
  const peer = await within(accept(), 'the client connects again')
  const play = new Play(peer, () => Promise.resolve(undefined), subject)
  await play.welcome()
  return play
}

/** Answers the next REQUEST with an empty list. */
async function answerNext(play: Play): Promise<void> {
  let frame = await play.next(Type.REQUEST)
  while (frame.type !== Type.REQUEST) frame = await play.next(Type.REQUEST)
  const { id } = frame
  play.peer.sendFrames(rawData(id, [], true))
}

async function settled(subject: ClientSubject, name: string): Promise<Settlement> {
  return within(subject.settlement(name), `the call '${name}' settles`)
}

function windowOf({ body }: RawFrame, fieldBytes: number): number {
  const map = fromMsgpack(body.subarray(fieldBytes)) as { limits: { window: number } }
  return map.limits.window
}

/** One connection of the raw peer, on its way through the steps. */
class Play {
  readonly peer: RawPeer
  window = 262_144
  private readonly connection: () => Promise<ConnectionSnapshot | undefined>
  private readonly subject: ClientSubject | undefined
  /** Frames that have been looked at. */
  private read = 0
  private readonly credit = new Map<number, number>()
  private creditRead = 0
  private pings = 0

  constructor(
    peer: RawPeer,
    connection: () => Promise<ConnectionSnapshot | undefined>,
    subject?: ClientSubject,
  ) {
    this.peer = peer
    this.connection = connection
    this.subject = subject
  }

  skipRead(frames: number): void {
    this.read += frames
  }

  async all(steps: readonly Step[]): Promise<void> {
    for (const [at, step] of steps.entries()) {
      try {
        await this.step(step)
      } catch (error) {
        throw new Error(`step ${at + 1}, '${step.do}': ${textOf(error)}`, { cause: error })
      }
      const connection = at % 16 === 0 ? await this.connection() : undefined
      if (connection !== undefined) equal(overCaps(connection), [], 'over its caps')
    }
  }

  private async step(step: Step): Promise<void> {
    const { peer } = this
    switch (step.do) {
      case 'send':
        return peer.sendFrames(...step.frames)
      case 'send cut':
        return this.sendCut(peer.bytesOf(...step.frames), step.at)
      case 'send slowly':
        return this.sendSlowly(peer.bytesOf(...step.frames), step.chunk, step.everyMs)
      case 'send bytes':
        return peer.send(step.bytes)
      case 'send websocket':
        return step.parts.forEach(({ payload, ...how }) =>
          peer.send(webSocketFrame(payload, { ...how, masked: true })),
        )
      case 'send within credit':
        return this.sendWithinCredit(step.frames, step.spent ?? 0)
      case 'expect':
        return this.expect(step.frame)
      case 'expect all':
        return this.expectAll(step.frames)
      case 'expect nothing':
        return this.expectNothing()
      case 'count':
        return this.count(step.frame, step.is)
      case 'inspect':
        return this.inspect(step.is)
      case 'call':
        return this.subject!.call(step.call)
      case 'settles':
        return this.settles(step.call)
      case 'stop reading':
        return void peer.socket.pause()
      case 'cut':
        return peer.destroy()
    }
  }

  private async sendCut(bytes: Uint8Array, at: number): Promise<void> {
    this.peer.send(bytes.subarray(0, at))
    await turn()
    this.peer.send(bytes.subarray(at))
  }

  private async sendSlowly(bytes: Uint8Array, chunk: number, everyMs = 0): Promise<void> {
    for (let at = 0; at < bytes.length && !this.peer.ended; at += chunk) {
      this.peer.send(bytes.subarray(at, at + chunk))
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs))
      // Each in a segment of its own, more often than not.
      else if (at % 16 === 0) await turn()
    }
  }

  private async sendWithinCredit(frames: readonly Uint8Array[], spent: number): Promise<void> {
    let ready: Uint8Array[] = []
    const flush = (): void => {
      if (ready.length > 0) this.peer.sendFrames(...ready)
      ready = []
    }
    for (const [at, frame] of frames.entries()) {
      const { id } = partsOf(frame)
      const cost = costOf(frame)
      const left = this.creditOf(id) - (at === 0 ? spent : 0)
      if (left < cost) {
        flush()
        await within(
          this.peer.until(() => this.peer.ended || this.creditOf(id) >= cost),
          `credit for frame ${at + 1} of ${frames.length}`,
        )
        holds(!this.peer.ended, 'the connection has ended')
      }
      this.credit.set(id, this.creditOf(id) - cost)
      ready.push(frame)
      if (ready.length >= 1_000) flush()
    }
    flush()
  }

  /** What a call may still send, with all CREDIT that has come. */
  private creditOf(id: number): number {
    for (; this.creditRead < this.peer.frames.length; this.creditRead += 1) {
      const { type, id: of, body } = partsOf(this.peer.frames[this.creditRead]!)
      if (type === Type.CREDIT)
        this.credit.set(of, (this.credit.get(of) ?? this.window) + uint32(body, 0))
    }
    return this.credit.get(id) ?? this.window
  }

  /** The next frame that is not passed over. */
  async next(wanted?: number): Promise<RawFrame> {
    for (;;) {
      const { peer } = this
      await within(
        peer.until(() => peer.frames.length > this.read || peer.ended),
        'a frame comes',
      )
      const bytes = peer.frames[this.read]
      if (bytes === undefined) throw new Error('the connection has ended')
      this.read += 1
      const frame = partsOf(bytes)
      if (frame.type === wanted) return frame
      const passedOver = [Type.ACK, Type.PING, Type.CREDIT] as readonly number[]
      if (passedOver.includes(frame.type)) continue
      if (frame.type === Type.GOAWAY && wanted !== undefined) {
        const { code, map } = goAwayOf(frame)
        throw new Error(`GOAWAY ${code} ${shown(map)}`)
      }
      return frame
    }
  }

  private async expect(expected: ExpectedFrame): Promise<void> {
    const type = Type[expected.frame]
    const frame = await this.next(type)
    equal(typeName(frame.type), expected.frame, 'the next frame')
    if (expected.id !== undefined) equal(frame.id, expected.id, `id of ${expected.frame}`)
    judge(frame, expected)
  }

  private async expectAll(expected: readonly ExpectedFrame[]): Promise<void> {
    const left = [...expected]
    while (left.length > 0) {
      const frame = await this.next()
      const at = left.findIndex(
        (one) => Type[one.frame] === frame.type && (one.id === undefined || one.id === frame.id),
      )
      holds(at >= 0, `${typeName(frame.type)} of ${frame.id} was not expected`)
      judge(frame, left[at]!)
      left.splice(at, 1)
    }
  }

  private async expectNothing(): Promise<void> {
    this.pings += 1
    const nonce = this.pings.toString(16).padStart(16, '0')
    this.peer.sendFrames(rawPing(nonce))
    const frame = await this.next(Type.PONG)
    equal(typeName(frame.type), 'PONG', 'the next frame')
  }

  private async count(name: 'DATA' | 'PONG', is: number): Promise<void> {
    const { peer } = this
    const come = (): number => peer.frames.filter((frame) => frame[0] === Type[name]).length
    await within(
      peer.until(() => come() >= is || peer.ended),
      `${is} frames of ${name} come (${come()} so far)`,
    )
    for (let turns = 0; turns < 20; turns += 1) await turn()
    equal(come(), is, `frames of ${name}`)
    this.read = peer.frames.length
  }

  private inspect(is: Inspected): Promise<void> {
    return eventually(async () => {
      const connection = await this.connection()
      holds(connection !== undefined, 'no connection')
      const { bytes, calls } = connection
      const { buffered, held } = bytes
      const { served, made, waitingForSlot: waiting } = calls
      matches({ buffered, held, served, made, waiting }, is, 'inspect()')
    })
  }

  private async settles({ name, value, error }: SettledCall): Promise<void> {
    const settlement = await settled(this.subject!, name)
    if (error === undefined) return equal(settlement, { value }, `the call '${name}'`)
    holds('error' in settlement, `'${name}' gave ${shown(settlement)}`)
    const { text = [], ...properties } = error
    matches(settlement.error, properties, `the call '${name}'`)
    for (const part of text)
      holds(settlement.error.message.includes(part), `no '${part}' in ${settlement.error.message}`)
  }

  /** Answers HELLO. */
  async welcome(): Promise<void> {
    this.window = windowOf(await this.next(Type.HELLO), 8)
    this.peer.sendFrames(rawWelcome())
  }

  /** The connection lives: a further call succeeds. What still comes of other calls is passed over. */
  async further(id: number): Promise<void> {
    this.peer.sendFrames(rawRequest({ id, method: 'conf.values', value: 'alive' }))
    for (;;) {
      const frame = await this.next(Type.DATA)
      if (frame.type !== Type.DATA || frame.id !== id) continue
      return judge(frame, { frame: 'DATA', value: 'alive', end: true })
    }
  }

  /** GOAWAY of a side that closes, answered. */
  async goodbye(): Promise<void> {
    let frame = await this.next(Type.GOAWAY)
    while (frame.type !== Type.GOAWAY) frame = await this.next(Type.GOAWAY)
    equal(goAwayOf(frame).code, 0, 'code of GOAWAY')
    this.peer.end()
  }

  async end(ends: Ending, withinMs: number = stepMs): Promise<void> {
    const { peer } = this
    if ('goAway' in ends) {
      let frame = await this.next(Type.GOAWAY)
      while (frame.type !== Type.GOAWAY) frame = await this.next(Type.GOAWAY)
      const { code, map } = goAwayOf(frame)
      const said = map as { reason?: string; versions?: unknown }
      equal(code, ends.goAway, `code of GOAWAY (${shown(said)})`)
      for (const text of [ends.reason ?? []].flat())
        holds(said.reason?.includes(text) === true, `no '${text}' in ${shown(said)}`)
      if (ends.versions !== undefined) equal(said.versions, ends.versions, 'versions of GOAWAY')
    }
    // Who does not read does not see the end; who does not answer it is waited for.
    peer.socket.resume()
    if ('goAway' in ends) peer.end()
    await within(peer.closed, 'the link closes', withinMs)
    if ('webSocketClose' in ends) {
      const close = peer.controls.find(({ opcode }) => opcode === 8)
      holds(close !== undefined, 'no close frame came')
      equal((close.payload[0]! << 8) | close.payload[1]!, ends.webSocketClose, 'close code')
    }
  }
}

/** Compares what a frame says with what was expected of it. */
function judge(frame: RawFrame, expected: ExpectedFrame): void {
  const { body, flags } = frame
  const what = `${expected.frame} of ${frame.id}`
  if (expected.end !== undefined) equal((flags & 2) !== 0, expected.end, `END on ${what}`)
  if ('value' in expected)
    equal(body.length === 0 ? undefined : fromMsgpack(body), expected.value, what)
  if (expected.received !== undefined) equal(uint32(body, 8), expected.received, 'position')
  if (expected.minor !== undefined) equal(body[1], expected.minor, 'minor version')
  if (expected.frame === 'ERROR') judgeError(frame, expected)
  if (expected.frame === 'CANCEL' && expected.code !== undefined)
    equal(body[0], expected.code, `code of ${what}`)
  if (expected.map !== undefined || expected.without !== undefined) {
    const map = fromMsgpack(body.subarray(expected.frame === 'HELLO' ? 8 : 4)) as object
    matches(map, expected.map ?? {}, `map of ${expected.frame}`)
    for (const key of expected.without ?? []) holds(!(key in map), `'${key}' is in its map`)
  }
}

function judgeError({ id, body }: RawFrame, expected: ExpectedFrame): void {
  const errorFlags = body[1]!
  const [message] = fromMsgpack(body.subarray((errorFlags & 8) === 0 ? 2 : 6)) as [string]
  const what = `ERROR of ${id} (${message})`
  if (expected.code !== undefined) equal(body[0], expected.code, `code of ${what}`)
  if (expected.processed !== undefined)
    equal((errorFlags & 1) === 0 ? 'yes' : 'no', expected.processed, `processed of ${what}`)
  if (expected.text !== undefined)
    holds(message.includes(expected.text), `no '${expected.text}' in ${what}`)
}

/** What a REQUEST or DATA costs of the credit: metadata, payload and 64. */
function costOf(frame: Uint8Array): number {
  const [type, flags] = [frame[0]!, frame[1]!]
  let fields = 6
  if (type === Type.REQUEST) fields += (flags & 8) === 0 ? 2 : 1 + frame[6]!
  if ((flags & 16) !== 0) fields += 4
  if ((flags & 1) !== 0 && (flags & 64) === 0) fields += 4
  if ((flags & 4) !== 0) fields += 2
  return frame.length - fields + 64
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function within<T>(promise: Promise<T>, what: string, withinMs = stepMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${withinMs} ms: ${what}`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
