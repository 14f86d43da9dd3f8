// Pauses between attempts, without a server: `tests/resume` shows the rest of it.

import type { RpcError } from '@callbox/core'
import type { Transport } from '@callbox/core/internal'
import { VirtualClock } from '@callbox/testing'
import { beforeEach, expect, test } from 'vitest'
import { defaults } from '#defaults'
import { Dialer, type DialerOwner } from './dialer.ts'
import { resolveOptions } from './options.ts'

let clock: VirtualClock
let dials: number[]
let told: string[]
let pauses: number[]

/** Refuses at once, or never answers. */
function dialerOf(answers: boolean, credential?: () => unknown): Dialer {
  const transport: Transport = {
    name: 'none',
    target: 'none',
    dial: ({ signal }) => {
      dials.push(clock.now())
      return new Promise((_, reject) => {
        const refuse = (): void => reject(new Error('refused'))
        if (answers) refuse()
        else signal.addEventListener('abort', refuse)
      })
    },
  }
  const owner: DialerOwner = {
    resumeTerms: () => undefined,
    onWelcome: () => undefined,
    onDialing: () => void told.push('dialing'),
    onRefused: (error) => void told.push(error.code),
    onWaiting: (ms) => void pauses.push(ms),
  }
  const own = { clock, ...(credential === undefined ? {} : { credential }) }
  const options = resolveOptions(own, defaults)
  return new Dialer({ options, transport, contracts: [] }, owner)
}

const lost = { code: 'session_lost' } as unknown as RpcError

beforeEach(() => {
  clock = new VirtualClock()
  dials = []
  told = []
  pauses = []
})

test('one attempt at a time, a pause after each', async () => {
  const dialer = dialerOf(true)
  dialer.now()
  dialer.now()
  await clock.settle()
  expect(dials).toEqual([0])
  expect(told).toEqual(['dialing', 'unavailable'])
  expect(pauses).toHaveLength(1)
  await clock.advance(pauses[0]!)
  expect(dials).toEqual([0, pauses[0]])
  await dialer.stop()
})

test('a pause that was asked for is kept, whatever else would be due', async () => {
  const dialer = dialerOf(true)
  dialer.after(1_234, lost)
  dialer.after(5, lost)
  expect(pauses).toEqual([1_234])
  await clock.advance(1_233)
  expect(dials).toEqual([])
  await clock.advance(1)
  expect(dials).toEqual([1_234])
  await dialer.stop()
})

test('after a lost link up to a second, and never longer than the time away [case C117] [threat X7]', async () => {
  const firsts: number[] = []
  for (let seed = 0; seed < 200; seed += 1) {
    clock = new VirtualClock(seed)
    pauses = []
    const dialer = dialerOf(true)
    dialer.after(undefined, lost)
    firsts.push(pauses[0]!)
    await clock.advance(60_000)
    let away = 0
    for (const ms of pauses) {
      expect(ms).toBeLessThanOrEqual(Math.max(1_000, away))
      away += ms
    }
    await dialer.stop()
  }
  expect(Math.max(...firsts)).toBeLessThanOrEqual(1_000)
  expect(firsts.filter((ms) => ms < 500).length).toBeGreaterThan(70)
  expect(firsts.filter((ms) => ms >= 500).length).toBeGreaterThan(70)
})

test('a hint ends a pause, and nothing else', async () => {
  const dialer = dialerOf(true)
  dialer.hurry()
  await clock.settle()
  expect(dials).toEqual([])
  dialer.after(10_000, lost)
  await clock.advance(100)
  dialer.hurry()
  await clock.settle()
  expect(dials).toEqual([100])
  await dialer.stop()
})

test('stop ends what is under way, for ever, and settles', async () => {
  const dialer = dialerOf(false)
  dialer.now()
  await clock.settle()
  await dialer.stop()
  dialer.now()
  dialer.after(1, lost)
  dialer.hurry()
  await clock.advance(100_000)
  expect(dials).toEqual([0])
  expect(clock.pendingTimers).toBe(0)
})

test('an attempt that nobody answers ends in time, and the next one follows', async () => {
  const dialer = dialerOf(false)
  dialer.now()
  await clock.advance(9_999)
  expect(told).toEqual(['dialing'])
  await clock.advance(1)
  expect(told).toEqual(['dialing', 'unavailable'])
  await clock.advance(20_000)
  expect(dials.length).toBeGreaterThan(1)
  await dialer.stop()
})

test('stopped while the credential is awaited: it does not dial [case C120]', async () => {
  let give: () => void = () => undefined
  const dialer = dialerOf(true, () => new Promise<void>((resolve) => (give = resolve)))
  dialer.now()
  await clock.settle()
  await dialer.stop()
  give()
  await clock.settle()
  expect(dials).toEqual([])
})
