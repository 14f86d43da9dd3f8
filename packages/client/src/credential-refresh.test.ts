import type { Session } from '@callbox/core/internal'
import { VirtualClock } from '@callbox/testing'
import { beforeEach, expect, test } from 'vitest'
import { defaults } from '#defaults'
import { CredentialRefresh } from './credential-refresh.ts'
import { resolveOptions, type ClientOptions } from './options.ts'

let clock: VirtualClock
let asked: number
let written: unknown[]
let reported: string[]
let credential: () => unknown

/** As much of a session as is used. */
const session = (): Session =>
  ({ writeAuth: (map: unknown) => written.push(map) }) as unknown as Session

function setUp(): CredentialRefresh {
  const own: ClientOptions = {
    clock,
    credential: () => {
      asked += 1
      return credential()
    },
    logger: (_, event) => void reported.push(event),
  }
  const options = resolveOptions(own, defaults)
  return new CredentialRefresh(options)
}

beforeEach(() => {
  clock = new VirtualClock()
  asked = 0
  written = []
  reported = []
  credential = () => `credential ${asked}`
})

test('60 s before it expires', async () => {
  setUp().start(session(), 300_000)
  await clock.advance(239_999)
  expect(asked).toBe(0)
  await clock.advance(1)
  expect(written).toEqual([{ auth: 'credential 1' }])
})

test('a short life is renewed after half of it', async () => {
  setUp().start(session(), 10_000)
  await clock.advance(4_999)
  expect(asked).toBe(0)
  await clock.advance(1)
  expect(asked).toBe(1)
})

test('one that does not expire is never renewed', async () => {
  setUp().start(session(), undefined)
  await clock.advance(10_000_000)
  expect([asked, clock.pendingTimers]).toEqual([0, 0])
})

test('the answer says how long the new one lasts', async () => {
  const refresh = setUp()
  refresh.start(session(), 100_000)
  await clock.advance(50_000)
  refresh.onAnswer({ expiresInMs: 20_000 })
  await clock.advance(9_999)
  expect(written).toHaveLength(1)
  await clock.advance(1)
  expect(written).toHaveLength(2)
})

test.each([[{}], [{ expiresInMs: 'soon' }], [{ expiresInMs: 0 }], [{ expiresInMs: -1 }]])(
  'an answer that says nothing of it ends that: %j',
  async (answer) => {
    const refresh = setUp()
    refresh.start(session(), 100_000)
    await clock.advance(50_000)
    refresh.onAnswer(answer)
    await clock.advance(1_000_000)
    expect(written).toHaveLength(1)
  },
)

test('stopped: an answer of the user that comes later is not sent', async () => {
  let give: (value: string) => void = () => undefined
  credential = () => new Promise<string>((resolve) => (give = resolve))
  const refresh = setUp()
  refresh.start(session(), 10_000)
  await clock.advance(5_000)
  refresh.stop()
  give('late')
  await clock.settle()
  expect(written).toEqual([])
  refresh.onAnswer({ expiresInMs: 1_000 })
  await clock.advance(10_000)
  expect(asked).toBe(1)
})

test('another session has begun meanwhile: nothing is sent to it', async () => {
  let give: (value: string) => void = () => undefined
  credential = () => new Promise<string>((resolve) => (give = resolve))
  const refresh = setUp()
  refresh.start(session(), 10_000)
  await clock.advance(5_000)
  refresh.start(session(), undefined)
  give('late')
  await clock.settle()
  expect(written).toEqual([])
})

test('a function that throws is reported, once, and sends nothing', async () => {
  credential = () => {
    throw new Error('no')
  }
  setUp().start(session(), 10_000)
  await clock.advance(100_000)
  expect([written, reported]).toEqual([[], ['credential not renewed']])
})
