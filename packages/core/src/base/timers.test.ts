import { VirtualClock } from '@callbox/testing'
import { describe, expect, test } from 'vitest'
import { clockOf } from './clock.ts'
import { Timer, Timers } from './timers.ts'

/** A wheel on a virtual clock, and timers that write down when they ran. */
function wheel() {
  const clock = new VirtualClock()
  const log: [name: string, at: number][] = []
  return {
    clock,
    log,
    create: () => new Timers(clock),
    timer: (name: string) => new Timer(() => log.push([name, clock.now()])),
  }
}

/** mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** A clock without waiting, for long times: `run(until)` fires the one timer that is set. */
class JumpClock extends VirtualClock {
  time = 0
  set: { at: number; callback: () => void } | undefined
  wakes = 0
  sets = 0
  override now(): number {
    return this.time
  }
  override setTimer(callback: () => void, delayMs: number): unknown {
    if (this.set !== undefined) throw new Error('a second timer of the clock')
    this.sets += 1
    // As setTimeout does.
    this.set = { at: this.time + Math.trunc(Math.min(delayMs, 2 ** 31 - 1)), callback }
    return this.set
  }
  override clearTimer(timer: unknown): void {
    if (timer === this.set) this.set = undefined
  }
  run(until: number): void {
    for (let set = this.set; set !== undefined && set.at <= until; set = this.set) {
      this.time = Math.max(this.time, set.at)
      this.set = undefined
      this.wakes += 1
      set.callback()
    }
    this.time = Math.max(this.time, until)
  }
}

describe('Timers', () => {
  test('each timer fires once, at exactly its millisecond', async () => {
    const { clock, log, create, timer } = wheel()
    const timers = create()
    for (const ms of [64, 1, 4_096, 63, 65, 0, 30_000, 4_095]) timers.arm(timer(`${ms}`), ms)
    expect(timers.length).toBe(8)
    await clock.advance(40_000)
    // 0 becomes 1: a callback never runs before `arm` returns.
    expect(log).toEqual([
      ['1', 1],
      ['0', 1],
      ['63', 63],
      ['64', 64],
      ['65', 65],
      ['4095', 4_095],
      ['4096', 4_096],
      ['30000', 30_000],
    ])
    expect([timers.length, clock.pendingTimers]).toEqual([0, 0])
  })

  test('every delay at every offset of the wheel is exact, over all levels', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    const random = seeded(7)
    let wrong = 0
    let fired = 0
    const delays = [
      1, 2, 62, 63, 64, 65, 4_095, 4_096, 4_097, 262_143, 262_144, 262_145, 16_777_216,
    ]
    for (let round = 0; round < 3_000; round += 1) {
      const delay = delays[random(delays.length)]! + random(3)
      const dueAt = clock.time + delay
      timers.arm(
        new Timer(() => {
          fired += 1
          if (clock.time !== dueAt) wrong += 1
        }),
        delay,
      )
      clock.run(clock.time + random(200))
    }
    clock.run(clock.time + 20_000_000)
    expect([fired, wrong, timers.length]).toEqual([3_000, 0, 0])
  })

  test('equals a sorted list under random arming, moving and disarming', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    const random = seeded(11)
    const due = new Map<Timer, number>()
    const problems: string[] = []
    const spans = [3, 70, 5_000, 300_000, 20_000_000]
    const pool = Array.from({ length: 200 }, () => {
      const timer: Timer = new Timer(() => {
        if (due.get(timer) !== clock.time) problems.push(`${due.get(timer)} at ${clock.time}`)
        due.delete(timer)
        if (random(4) === 0) arm(timer)
        if (random(8) === 0) disarm(pool[random(200)]!)
      })
      return timer
    })
    const arm = (timer: Timer): void => {
      const delay = 1 + random(spans[random(spans.length)]!)
      timers.arm(timer, delay)
      due.set(timer, clock.time + delay)
    }
    const disarm = (timer: Timer): void => {
      timers.disarm(timer)
      due.delete(timer)
    }
    for (let step = 0; step < 20_000; step += 1) {
      const timer = pool[random(200)]!
      if (random(3) === 0) disarm(timer)
      else arm(timer)
      if (random(4) === 0) clock.run(clock.time + random(spans[random(4)]!))
      // Whatever is overdue has been missed.
      for (const [, at] of due) if (at <= clock.time) problems.push(`missed ${at} at ${clock.time}`)
      if (timers.length !== due.size) problems.push(`${timers.length} armed, ${due.size} expected`)
      if (problems.length > 0) break
    }
    expect(problems).toEqual([])
  })

  test('never early when time has fractions', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    const random = seeded(3)
    const waited: number[] = []
    for (let round = 0; round < 1_000; round += 1) {
      clock.time += random(1_000_000) / 1_000_000
      const armedAt = clock.time
      const delay = random(5_000) / 1_000
      timers.arm(new Timer(() => waited.push(clock.time - armedAt - delay)), delay)
      clock.run(clock.time + random(3_000) / 1_000)
    }
    clock.run(clock.time + 10)
    expect(waited.length).toBe(1_000)
    expect(Math.min(...waited)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...waited)).toBeLessThan(3)
  })

  test('longer than the wheel can tell apart (two years) still fires on time', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    const years = 2 ** 36 + 12_345
    let firedAt = 0
    timers.arm(new Timer(() => (firedAt = clock.time)), years)
    clock.run(years + 1)
    expect(firedAt).toBe(years)
    expect(clock.wakes).toBeLessThan(100)
  })

  test('timers that are late run in order of due time, in one wake', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    const order: number[] = []
    const delays = [900, 5, 64, 63, 10_000, 65, 128, 4_096, 1]
    for (const delay of delays) timers.arm(new Timer(() => order.push(delay)), delay)
    // The process slept.
    clock.time = 3_600_000
    clock.run(clock.time)
    expect(order).toEqual(delays.toSorted((a, b) => a - b))
    expect(clock.wakes).toBe(1)
  })

  test('arming an armed timer moves it', async () => {
    const { clock, log, create, timer } = wheel()
    await clock.advance(1_000)
    const timers = create()
    const one = timer('one')
    timers.arm(one, 10)
    timers.arm(one, 50)
    timers.arm(one, 20)
    expect(timers.length).toBe(1)
    const start = clock.now()
    await clock.advance(100)
    expect(log).toEqual([['one', start + 20]])
    expect(one.armed).toBe(false)
  })

  test('armAt: an absolute time; one that is over comes soon, not at once', async () => {
    const { clock, log, create, timer } = wheel()
    await clock.advance(5_000)
    const timers = create()
    timers.armAt(timer('past'), 1)
    timers.armAt(timer('later'), 5_100.5)
    expect(log).toEqual([])
    await clock.advance(200)
    expect(log).toEqual([
      ['past', 5_001],
      ['later', 5_101],
    ])
  })

  test('a callback may arm itself and others, and disarm what is due with it', async () => {
    const { clock, log, create, timer } = wheel()
    const timers = create()
    const victim = timer('victim')
    const late = timer('late')
    let rounds = 0
    const first: Timer = new Timer(() => {
      log.push(['first', clock.now()])
      timers.disarm(victim)
      rounds += 1
      if (rounds < 3) timers.arm(first, 0)
      else timers.arm(late, 64)
    })
    timers.arm(first, 10)
    timers.arm(victim, 10)
    await clock.advance(1_000)
    expect(log).toEqual([
      ['first', 10],
      ['first', 11],
      ['first', 12],
      ['late', 76],
    ])
  })

  test('a callback that throws stops no other; the first error comes out at the end', async () => {
    const { clock, log, create, timer } = wheel()
    const timers = create()
    const failing = (text: string): Timer =>
      new Timer(() => {
        throw new Error(text)
      })
    timers.arm(failing('first'), 10)
    timers.arm(timer('same'), 10)
    timers.arm(failing('second'), 10)
    timers.arm(timer('after'), 20)
    await expect(clock.advance(15)).rejects.toThrow('first')
    expect(log).toEqual([['same', 10]])
    await clock.advance(10)
    expect(log).toEqual([
      ['same', 10],
      ['after', 20],
    ])
  })

  test('onError takes what callbacks throw', async () => {
    const clock = new VirtualClock()
    const errors: unknown[] = []
    const timers = new Timers(clock, (error) => errors.push(error))
    for (const text of ['a', 'b'])
      timers.arm(
        new Timer(() => {
          throw text as unknown as Error
        }),
        5,
      )
    await clock.advance(5)
    expect(errors).toEqual(['a', 'b'])
  })

  test('a call with its 30 s timer does not touch the timer of the clock', () => {
    const clock = new JumpClock()
    const timers = new Timers(clock)
    timers.arm(new Timer(() => {}), 15_000)
    expect(clock.sets).toBe(1)
    const call = new Timer(() => {})
    for (let index = 0; index < 1_000; index += 1) {
      timers.arm(call, 30_000)
      timers.disarm(call)
    }
    expect(clock.sets).toBe(1)
  })

  test('an empty wheel leaves no timer of the clock behind once the turn is over', async () => {
    const { clock, create, timer } = wheel()
    const timers = create()
    const one = timer('one')
    timers.arm(one, 30_000)
    timers.disarm(one)
    timers.arm(one, 30_000)
    timers.disarm(one)
    timers.disarm(one)
    expect(clock.pendingTimers).toBe(1)
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
    // Armed again in the same turn: it stays.
    timers.arm(one, 30_000)
    timers.disarm(one)
    timers.arm(one, 20_000)
    await clock.settle()
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(20_000)
    expect(clock.pendingTimers).toBe(0)
  })

  test('close disarms everything, for good', async () => {
    const { clock, log, create, timer } = wheel()
    const timers = create()
    const armed = [timer('a'), timer('b'), timer('c')]
    for (const one of armed) timers.arm(one, 10)
    timers.close()
    timers.close()
    expect([timers.length, clock.pendingTimers, armed.map((one) => one.armed)]).toEqual([
      0,
      0,
      [false, false, false],
    ])
    timers.arm(armed[0]!, 10)
    timers.disarm(armed[0]!)
    await clock.advance(100)
    expect([log, clock.pendingTimers]).toEqual([[], 0])
  })

  test('close inside a callback: nothing runs after it', async () => {
    const { clock, log, create, timer } = wheel()
    const timers = create()
    timers.arm(new Timer(() => timers.close()), 10)
    timers.arm(timer('same'), 10)
    timers.arm(timer('later'), 11)
    await clock.advance(100)
    expect([log, clock.pendingTimers]).toEqual([[], 0])
  })

  test('on the clock of this process: not early, and nothing is left armed', async () => {
    const clock = clockOf(globalThis)
    const timers = new Timers(clock)
    const start = clock.now()
    const waited = await new Promise<number>((resolve) => {
      timers.arm(new Timer(() => resolve(clock.now() - start)), 5)
    })
    expect(waited).toBeGreaterThanOrEqual(5)
    expect(timers.length).toBe(0)
    timers.close()
  })
})
