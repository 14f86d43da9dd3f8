import type { Link, LinkClose } from '@callbox/core/internal'
import { expect, test } from 'vitest'
import { Simulation } from './simulation.ts'
import type { Host } from './host.ts'

interface Ends {
  readonly simulation: Simulation
  readonly near: Link
  readonly far: Link
  readonly frames: Uint8Array[]
  readonly closes: LinkClose[]
  drains: number
}

/** A link whose far end keeps what comes. */
async function connected(seed: number): Promise<Ends> {
  const simulation = new Simulation({ seed })
  const [a, b]: [Host, Host] = [simulation.host('a'), simulation.host('b')]
  let far: Link | undefined
  const listening = {
    onLink: (link: Link) => {
      far = link
    },
    onError: () => undefined,
    maxFrame: 66_560,
    handshakeMs: 5_000,
    maxConnections: 10,
  }
  await simulation.transport(b).listen(listening)
  const signal = new AbortController().signal
  const near = await simulation.until(simulation.transport(a).dial({ signal, maxFrame: 66_560 }))
  const ends: Ends = { simulation, near, far: far!, frames: [], closes: [], drains: 0 }
  const onClose = (close: LinkClose): void => void ends.closes.push(close)
  near.open({ onFrame: () => undefined, onDrain: () => void (ends.drains += 1), onClose })
  far!.open({
    onFrame: (buffer, start, end) => void ends.frames.push(buffer.slice(start, end)),
    onDrain: () => undefined,
    onClose,
  })
  return ends
}

/** A frame of a connection, with room in front for the length; the checker reads only stream frames. */
function write(link: Link, size: number, fill: number): void {
  const buffer = new Uint8Array(4 + size).fill(fill)
  buffer[4] = 0x07
  link.write(buffer, 4, buffer.length)
  link.flush()
}

test('frames arrive whole and in order, in whatever pieces their bytes come', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { simulation, near, frames } = await connected(seed)
    const sizes = [6, 7, 4_000, 6, 66_000, 11, 20_000]
    for (const [at, size] of sizes.entries()) write(near, size, at + 1)
    await simulation.advance(2_000)
    expect(frames.map(({ length }) => length)).toEqual(sizes)
    expect(frames.map((frame) => frame.at(-1))).toEqual([1, 2, 3, 4, 5, 6, 7])
  }
})

test('what a paused reader does not take waits at the sender, who is told when it has left', async () => {
  const ends = await connected(1)
  const { simulation, near, far, frames } = ends
  far.pause()
  for (let n = 0; n < 10; n += 1) write(near, 60_000, n)
  await simulation.advance(5_000)
  expect(frames).toEqual([])
  expect(near.unsentBytes).toBeGreaterThan(400_000)
  const before = ends.drains
  far.resume()
  await simulation.advance(5_000)
  expect(frames.length).toBe(10)
  expect(near.unsentBytes).toBe(0)
  expect(ends.drains).toBeGreaterThan(before)
})

test('a cut is told to both ends, a half-open line to one', async () => {
  const both = await connected(1)
  both.simulation.network.lines[0]!.cut()
  await both.simulation.advance(10)
  expect(both.closes.map(({ clean }) => clean)).toEqual([false, false])
  const one = await connected(1)
  one.simulation.network.lines[0]!.cut('near', Infinity)
  write(one.far, 6, 1)
  await one.simulation.advance(60_000)
  expect(one.closes.length).toBe(1)
})

test('what is held back arrives later, in order', async () => {
  const { simulation, near, frames } = await connected(3)
  simulation.network.lines[0]!.hold('up', 1_000)
  write(near, 6, 1)
  await simulation.advance(500)
  write(near, 6, 2)
  await simulation.advance(499)
  expect(frames.length).toBe(0)
  await simulation.advance(600)
  expect(frames.map((frame) => frame[5])).toEqual([1, 2])
})

test('a polite close delivers what was written before it', async () => {
  const { simulation, near, frames, closes } = await connected(5)
  write(near, 50_000, 9)
  await simulation.until(near.close())
  await simulation.advance(100)
  expect(frames.length).toBe(1)
  expect(closes.map(({ clean }) => clean)).toEqual([true, true])
})
