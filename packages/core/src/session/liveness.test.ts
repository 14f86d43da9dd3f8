// Silence is judged by what was read, not by how long this process stood still.

import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { Liveness } from './liveness.ts'

function open(role: 'client' | 'server'): {
  clock: VirtualClock
  liveness: Liveness
  pings: () => number
  silent: () => number
} {
  const clock = new VirtualClock()
  let [pings, silent] = [0, 0]
  const liveness = new Liveness(
    { clock, timers: new Timers(clock), role },
    { sendPing: () => (pings += 1), onSilent: () => (silent += 1) },
  )
  liveness.open({ intervalMs: 15_000, timeoutMs: 10_000 })
  return { clock, liveness, pings: () => pings, silent: () => silent }
}

test.each(['server', 'client'] as const)(
  'a handler that spins for 20 s: the %s reads before it gives anyone up [threat K12]',
  async (role) => {
    const { clock, liveness, silent } = open(role)
    await clock.advance(15_000)
    clock.stall(20_000)
    // Timers come first after a stall; the PONG lies in the socket, unread.
    await clock.advance(0)
    expect(silent()).toBe(0)
    liveness.heard()
    await clock.advance(10_000)
    expect(silent()).toBe(0)
    liveness.close()
  },
)

test('a peer that is silent all the same is given up right after', async () => {
  const { clock, liveness, pings, silent } = open('server')
  await clock.advance(15_000)
  expect(pings()).toBe(1)
  clock.stall(20_000)
  await clock.advance(0)
  expect(silent()).toBe(0)
  await clock.advance(2_000)
  expect(silent()).toBe(1)
  liveness.close()
})

test('without a stall the times are exact', async () => {
  const { clock, pings, silent } = open('server')
  await clock.advance(14_999)
  expect(pings()).toBe(0)
  await clock.advance(1)
  expect(pings()).toBe(1)
  await clock.advance(9_999)
  expect(silent()).toBe(0)
  await clock.advance(1)
  expect(silent()).toBe(1)
})
