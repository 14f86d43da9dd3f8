import { VirtualClock } from '@callbox/testing'
import { expect, test } from 'vitest'
import { Gate, processConnections } from './gate.ts'

function gateWith(options: Partial<ConstructorParameters<typeof Gate>[0]> = {}): {
  clock: VirtualClock
  gate: Gate
  refused: string[]
  errors: string[]
} {
  const clock = new VirtualClock()
  const refused: string[] = []
  const errors: string[] = []
  const gate = new Gate(
    {
      maxConnections: 2,
      handshakeMs: 5_000,
      onRefused: (limit) => refused.push(limit),
      onError: (error) => errors.push(String(error)),
      ...options,
    },
    clock,
  )
  return { clock, gate, refused, errors }
}
const nobody = (): void => undefined

test('maxConnections counts those that are open, whoever has passed', () => {
  const { gate, refused } = gateWith()
  const before = processConnections()
  const first = gate.enter(nobody)!
  const second = gate.enter(nobody)!
  first.pass()
  expect(gate.enter(nobody)).toBeUndefined()
  expect(refused).toEqual(['maxConnections'])
  expect([gate.open, gate.arriving, processConnections() - before]).toEqual([2, 1, 2])
  first.leave()
  first.leave()
  expect(gate.enter(nobody)).toBeDefined()
  second.leave()
  expect([gate.open, gate.arriving, processConnections() - before]).toEqual([1, 1, 1])
})

test('the owner may say that it is full', () => {
  const { gate, refused } = gateWith({ full: () => 'maxPreAuth' })
  expect(gate.enter(nobody)).toBeUndefined()
  expect(refused).toEqual(['maxPreAuth'])
  expect(gate.open).toBe(0)
})

test('who has not passed at handshakeMs is dropped; who has takes its time along [threat H4]', async () => {
  const { clock, gate, refused } = gateWith()
  let dropped = 0
  const slow = gate.enter(() => {
    dropped += 1
  })!
  await clock.advance(1_500)
  const quick = gate.enter(() => {
    dropped += 10
  })!
  await clock.advance(700)
  expect(quick.pass()).toBe(700)
  await clock.advance(2_799)
  expect(dropped).toBe(0)
  await clock.advance(1)
  expect(dropped).toBe(1)
  slow.leave()
  await clock.advance(60_000)
  expect(dropped).toBe(1)
  expect(refused).toEqual(['handshakeMs'])
  expect([gate.open, gate.arriving]).toEqual([1, 0])
})

test('without onRefused an error names the limit', () => {
  const { gate, errors } = gateWith({ onRefused: undefined, maxConnections: 1 })
  gate.enter(nobody)
  gate.enter(nobody)
  expect(errors).toEqual(['Error: over limits.maxConnections: at its limit'])
})
