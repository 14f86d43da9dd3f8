// A session that loses its link and gets another: positions, replay, fencing, parking. Two sessions over
// links in memory, without calls.

import { createPair, VirtualClock } from '@callbox/testing'
import { beforeEach, expect, test } from 'vitest'
import { ConnectionError } from '../base/errors.ts'
import { resolveLimits, type Limits } from '../base/limits.ts'
import { MetricsRegistry } from '../base/metrics.ts'
import { Timers } from '../base/timers.ts'
import { cancelFrame, type Frame } from '../frames/fields.ts'
import { FrameType, readU32 } from '../frames/frame.ts'
import { frameRoom, type Link } from '../link/link.ts'
import { Memory } from './memory.ts'
import { Parked, ParkedTotal } from './parked.ts'
import { Session, type SessionEnd, type SessionOwner } from './session.ts'

const clock = new VirtualClock()
const terms = { keepalive: { intervalMs: 15_000, timeoutMs: 10_000 }, graceMs: 30_000 }

/** One side: its session, and what it was told. */
class Side implements SessionOwner {
  readonly session: Session
  readonly lastAcceptedId = 0
  /** Numbers of the frames that have come. */
  readonly got: number[] = []
  readonly told: string[] = []
  end: SessionEnd | undefined
  readonly metrics = new MetricsRegistry()
  readonly parked: Parked
  readonly timers = new Timers(clock)
  private readonly limits: Limits

  constructor(link: Link, role: 'client' | 'server', options: SideOptions = {}) {
    this.limits = resolveLimits({ ...options.limits })
    this.parked = new Parked(this.limits.parkedBudget, new ParkedTotal())
    this.session = this.on(link, role, options.positions)
    this.session.open(this, { ...terms, graceMs: options.graceMs ?? terms.graceMs })
  }

  /** A session on a link: this side's own, or one that is only a handshake. */
  on(
    link: Link,
    role: 'client' | 'server',
    positions?: { readonly sent: number; readonly received: number },
  ): Session {
    const { timers, limits, parked, metrics } = this
    const memory = new Memory(clock, timers, limits.processBudget)
    return new Session(
      { link, role, positions, runtime: { clock, timers, limits, parked, metrics, memory } },
      { onFrame: () => undefined, onEnd: () => undefined },
    )
  }

  onFrame(buffer: Uint8Array, start: number): void {
    this.got.push(readU32(buffer, start + 2))
  }
  onWritable(): void {}
  onDrain(): void {
    this.told.push('drain')
  }
  onLimits(): void {}
  onAuth(): void {}
  onParked(reason: string): void {
    this.told.push(`parked: ${reason}`)
  }
  onResumed(): void {
    this.told.push('resumed')
  }
  onEnd(end: SessionEnd): void {
    this.end = end
  }
}

interface SideOptions {
  readonly limits?: Partial<Limits>
  readonly positions?: { readonly sent: number; readonly received: number }
  readonly graceMs?: number
}

let near: Side
let far: Side
let links: readonly [Link, Link]

function join(options: SideOptions = {}): void {
  links = createPair()
  near = new Side(links[0], 'client', options)
  far = new Side(links[1], 'server', options)
}

beforeEach(() => join())

/** A stream frame that carries a number. */
function numbered(n: number, bytes = 0): Frame {
  const { buffer, start, end } = cancelFrame(n, 'cancelled')
  if (bytes === 0) return { buffer, start, end }
  const large = new Uint8Array(frameRoom + bytes)
  large.set(buffer.subarray(start, end), frameRoom)
  large[frameRoom] = FrameType.Data
  large[frameRoom + 1] = 0
  return { buffer: large, start: frameRoom, end: large.length }
}

function send({ session }: Side, ...numbers: readonly number[]): void {
  for (const n of numbers) session.writeControl(numbered(n))
}

/** A new pair of links takes the sessions over, as a handshake would. */
function resume(): void {
  links = createPair()
  const hello = near.on(links[0], 'client')
  const welcome = far.on(links[1], 'server')
  const told = near.session.received
  far.session.fence()
  const { received } = far.session
  far.session.resume(welcome.release(), told)
  near.session.resume(hello.release(), received)
  near.session.confirm()
}

test('frames that were lost with the link come once, in order, both ways', async () => {
  send(near, 1, 2)
  send(far, 11, 12)
  await clock.settle()
  // Written, flushed, and gone with the link.
  send(near, 3, 4)
  send(far, 13)
  links[0].abort()
  await clock.settle()
  expect([near.session.state, far.session.state]).toEqual(['parked', 'parked'])
  send(near, 5)
  send(far, 14)
  resume()
  send(near, 6)
  await clock.settle()
  expect(far.got).toEqual([1, 2, 3, 4, 5, 6])
  expect(near.got).toEqual([11, 12, 13, 14])
  expect(near.told).toEqual([expect.stringContaining('parked'), 'resumed'])
})

test('without a link nothing gets a position', async () => {
  send(near, 1)
  await clock.settle()
  links[0].abort()
  await clock.settle()
  send(near, 2, 3)
  expect(near.session.retention(1)).toBe('retained')
  expect(near.session.retention(2)).toBe('ahead')
  resume()
  await clock.settle()
  expect(near.session.retention(3)).toBe('retained')
})

test('positions cross 2^32: resume is exact at each frame [case C106]', async () => {
  for (let cut = 1; cut <= 20; cut += 1) {
    const at = 2 ** 32 - 10
    join({ positions: { sent: at, received: at } })
    for (let n = 1; n <= 20; n += 1) {
      send(near, n)
      send(far, 100 + n)
      if (n === cut) links[0].abort()
      if (n % 3 === 0) await clock.advance(150)
      await clock.settle()
      if (n === cut + 2 || (n === 20 && near.session.state === 'parked')) resume()
    }
    await clock.advance(200)
    const numbers = Array.from({ length: 20 }, (_, n) => n + 1)
    expect(far.got, `cut ${cut}`).toEqual(numbers)
    expect(
      near.got.map((n) => n - 100),
      `cut ${cut}`,
    ).toEqual(numbers)
    expect([near.session.received, far.session.received]).toEqual([10, 10])
    expect([near.session.ledger.ring, far.session.ledger.ring]).toEqual([0, 0])
  }
})

test('acknowledgments cross 2^32: what is behind is ignored, what is ahead refused [case C105] [case C106]', async () => {
  const at = 2 ** 32 - 2
  join({ positions: { sent: at, received: at } })
  send(near, 1, 2, 3, 4)
  await clock.advance(200)
  expect(near.session.ledger.ring).toBe(0)
  expect(near.session.retention(2)).toBe('retained')
  expect(near.session.retention(1)).toBe('dropped')
  expect(near.session.retention(2 ** 32 - 1)).toBe('dropped')
  expect(near.session.retention(3)).toBe('ahead')
})

test('a fenced link: its peer is told, its late frames go nowhere', async () => {
  send(near, 1)
  await clock.settle()
  far.session.fence()
  expect(far.session.state).toBe('parked')
  send(near, 2)
  await clock.settle()
  expect(far.got).toEqual([1])
  expect(near.session.state).toBe('parked')
  expect(near.told).toEqual(['parked: the link was replaced'])
  resume()
  await clock.settle()
  expect(far.got).toEqual([1, 2])
})

test('fencing a session without a link changes nothing', async () => {
  links[0].abort()
  await clock.settle()
  far.session.fence()
  expect(far.session.state).toBe('parked')
  expect(far.told).toHaveLength(1)
})

test('the grace is over: session_lost, no timer left, nothing counted', async () => {
  links[0].abort()
  await clock.settle()
  expect(far.parked.length).toBe(1)
  await clock.advance(29_999)
  expect(far.end).toBeUndefined()
  await clock.advance(1)
  expect(far.end).toMatchObject({ code: 'session_lost', byPeer: false })
  expect([far.timers.length, far.parked.length, far.parked.bytes]).toEqual([0, 0, 0])
})

test('a resume takes the grace back', async () => {
  for (let n = 0; n < 5; n += 1) {
    links[0].abort()
    await clock.advance(25_000)
    resume()
    await clock.settle()
  }
  await clock.advance(10_000)
  expect([near.session.state, far.session.state]).toEqual(['open', 'open'])
  expect(far.parked.length).toBe(0)
})

test('without a grace the session ends with its link', async () => {
  join({ graceMs: 0 })
  links[0].abort()
  await clock.settle()
  expect(near.end).toMatchObject({ code: 'session_lost' })
  expect(far.end).toMatchObject({ code: 'session_lost' })
  expect(far.timers.length).toBe(0)
})

test('parked bytes are counted, those that wait too, and the largest goes', async () => {
  join({ limits: { parkedBudget: 4_000 } })
  far.session.writeFrame(...range(numbered(1, 1_000)))
  links[0].abort()
  await clock.settle()
  expect(far.parked.bytes).toBe(1_064)
  far.session.ledger.wait(2_000)
  expect(far.parked.bytes).toBe(3_064)
  far.session.ledger.wait(1_000)
  expect(far.end).toMatchObject({
    code: 'session_lost',
    reason: 'evicted: over limits.parkedBudget',
  })
  expect(far.metrics.counter('limit_hits', 'parkedBudget')).toBe(1)
  expect(far.parked.bytes).toBe(0)
})

function range({ buffer, start, end }: Frame): [Uint8Array, number, number] {
  return [buffer, start, end]
}

test('a parked ring pins no buffer that is larger than its frames [threat R5]', async () => {
  const slab = new Uint8Array(1024 * 1024)
  const frame = numbered(7)
  slab.set(frame.buffer.subarray(frame.start, frame.end), 500_000)
  far.session.writeFrame(slab, 500_000, 500_000 + frame.end - frame.start)
  links[0].abort()
  await clock.settle()
  // The slab's owner may use it again.
  slab.fill(0)
  resume()
  await clock.settle()
  expect(near.got).toEqual([7])
})

test('GOAWAY is said again after a resume', async () => {
  far.session.drain(500)
  links[0].abort()
  await clock.settle()
  expect(near.told).not.toContain('drain')
  resume()
  await clock.settle()
  expect(near.told).toContain('drain')
})

test('only a link in its handshake can be given away, only a parked session takes one', async () => {
  expect(() => near.session.release()).toThrow('handshake')
  const [link] = createPair()
  const handshake = near.on(link, 'client').release()
  expect(() => near.session.resume(handshake, 0)).toThrow('without a link')
  await clock.settle()
})

test('close without a link: nothing is said, nothing is left', async () => {
  links[0].abort()
  await clock.settle()
  await near.session.close()
  expect(near.end).toMatchObject({ code: 'cancelled' })
  expect([near.timers.length, near.parked.length]).toEqual([0, 0])
  expect(far.session.state).toBe('parked')
})

test('an error in a frame that comes after a resume ends the session as ever', async () => {
  links[0].abort()
  await clock.settle()
  resume()
  far.session.fail(new ConnectionError('protocol', 'test'))
  await clock.settle()
  expect(near.end).toMatchObject({ code: 'protocol', byPeer: true })
  await clock.advance(1_000)
  expect([near.timers.length, far.timers.length]).toEqual([0, 0])
})

test('a ring that replays in several turns sends nothing new in between', async () => {
  // The link takes 64 KiB at a time, what was lost is much more.
  links[1].pause()
  for (let n = 1; n <= 40; n += 1) near.session.writeFrame(...range(numbered(n, 20_000)))
  await clock.settle()
  links[0].abort()
  await clock.settle()
  resume()
  send(near, 41)
  await clock.settle()
  send(near, 42)
  await clock.settle()
  expect(far.got).toEqual(Array.from({ length: 42 }, (_, n) => n + 1))
})

test('until what was lost has gone again, nothing new may go', async () => {
  links[1].pause()
  send(near, 1, 2)
  await clock.settle()
  links[0].abort()
  await clock.settle()
  expect(near.session.ready).toBe(false)
  resume()
  // In the turn of the resume itself.
  expect(near.session.ready).toBe(false)
  await clock.settle()
  expect(near.session.ready).toBe(true)
  expect(far.got).toEqual([1, 2])
})

test('cut again and again in the middle of a replay: exactly once, in order [case C96]', async () => {
  links[1].pause()
  for (let n = 1; n <= 40; n += 1) near.session.writeFrame(...range(numbered(n, 20_000)))
  links[0].abort()
  await clock.settle()
  for (let turn = 0; turn < 30; turn += 1) {
    resume()
    for (let step = 0; step < turn; step += 1) await Promise.resolve()
    links[turn % 2]!.abort()
    await clock.settle()
  }
  resume()
  await clock.settle()
  expect(far.got).toEqual(Array.from({ length: 40 }, (_, n) => n + 1))
})
