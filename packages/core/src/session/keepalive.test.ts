import { describe, expect, test } from 'vitest'
import { Keepalive, type Verdict } from './keepalive.ts'

const terms = { intervalMs: 15_000, timeoutMs: 10_000 }
const asking = (now = 0): Keepalive => new Keepalive(terms, true, now)
const listening = (now = 0): Keepalive => new Keepalive(terms, false, now)

/** Judges whenever it says so until `until`; times and verdicts that are not `wait`. */
function run(keepalive: Keepalive, until: number): readonly (readonly [number, Verdict])[] {
  const seen: [number, Verdict][] = []
  let now = 0
  for (let looks = 0; looks < 1_000; looks += 1) {
    now += keepalive.nextMs(now)
    if (now > until) return seen
    const verdict = keepalive.judge(now)
    if (verdict !== 'wait') seen.push([now, verdict])
    if (verdict === 'ping') keepalive.asked(now)
    if (verdict === 'dead') return seen
  }
  throw new Error('it looks again and again')
}

describe('the side that asks', () => {
  test('asks after 15 s of silence and gives up 10 s later [case C107]', () => {
    expect(run(asking(), 60_000)).toEqual([
      [15_000, 'ping'],
      [25_000, 'dead'],
    ])
  })

  test('waits to the last millisecond', () => {
    const keepalive = asking()
    expect([keepalive.judge(14_999), keepalive.judge(15_000)]).toEqual(['wait', 'ping'])
    keepalive.asked(15_000)
    expect([keepalive.judge(24_999), keepalive.judge(25_000)]).toEqual(['wait', 'dead'])
  })

  test('does not ask twice', () => {
    const keepalive = asking()
    keepalive.asked(15_000)
    for (let now = 15_000; now < 25_000; now += 1_000) expect(keepalive.judge(now)).toBe('wait')
  })

  test('any sign of life starts anew, also between PING and its end', () => {
    const keepalive = asking()
    keepalive.asked(15_000)
    keepalive.heard(24_999)
    expect(keepalive.judge(25_000)).toBe('wait')
    expect(keepalive.nextMs(25_000)).toBe(14_999)
    expect(keepalive.judge(39_999)).toBe('ping')
  })

  test('is silent itself while the peer talks every 14 s [case C108]', () => {
    const keepalive = asking()
    for (let now = 0; now <= 3_600_000; now += 14_000) {
      expect(keepalive.judge(now)).toBe('wait')
      keepalive.heard(now)
    }
  })

  test('a look that comes late still asks before it gives up', () => {
    const keepalive = asking()
    // The machine slept for an hour: what came meanwhile has not been read yet.
    expect(keepalive.judge(3_600_000)).toBe('ping')
    keepalive.asked(3_600_000)
    expect(keepalive.judge(3_609_999)).toBe('wait')
    expect(keepalive.judge(3_610_000)).toBe('dead')
  })
})

describe('the side that listens', () => {
  test('never asks by the clock, and gives up 5 s after the other would have', () => {
    expect(run(listening(), 60_000)).toEqual([[30_000, 'dead']])
  })

  test('a sign of life starts anew', () => {
    const keepalive = listening()
    keepalive.heard(29_999)
    expect(keepalive.judge(30_000)).toBe('wait')
    expect(keepalive.nextMs(30_000)).toBe(29_999)
    expect(keepalive.judge(59_999)).toBe('dead')
  })
})

describe('before something is sent', () => {
  test('it asks only after a whole interval of silence, and once', () => {
    const keepalive = listening()
    expect([keepalive.wantsPing(14_999), keepalive.wantsPing(15_000)]).toEqual([false, true])
    keepalive.asked(15_000)
    expect(keepalive.wantsPing(29_000)).toBe(false)
    keepalive.heard(29_000)
    expect([keepalive.wantsPing(43_999), keepalive.wantsPing(44_000)]).toEqual([false, true])
  })
})

describe('the next look', () => {
  test.each([
    ['asking', asking, 15_000],
    ['listening', listening, 30_000],
  ])('%s: in exactly as long as it takes', (_, make, due) => {
    const keepalive = make(1_000)
    expect(keepalive.nextMs(1_000)).toBe(due)
    expect(keepalive.nextMs(1_400)).toBe(due - 400)
  })

  test('is never now: what is overdue is looked at in a millisecond', () => {
    expect([asking().nextMs(99_000), listening().nextMs(99_000)]).toEqual([1, 1])
    const pinged = asking()
    pinged.asked(15_000)
    expect(pinged.nextMs(99_000)).toBe(1)
  })

  test('after a PING is at its end', () => {
    const keepalive = asking()
    keepalive.asked(15_000)
    expect(keepalive.nextMs(16_000)).toBe(9_000)
  })

  test('times of a monotonic clock may start anywhere', () => {
    for (const start of [0, 1e9, 123_456.5]) {
      const keepalive = asking(start)
      expect(keepalive.judge(start + 14_999)).toBe('wait')
      expect(keepalive.judge(start + 15_000)).toBe('ping')
    }
  })
})
