import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { Outbox } from './outbox.ts'

/** A stream whose writes are taken when the test says so. */
class Slow extends Duplex {
  readonly written: Buffer[] = []
  private taken: (() => void)[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.written.push(Buffer.from(chunk))
    this.taken.push(done)
  }

  /** The system takes the write that is on its way. */
  async accept(): Promise<void> {
    this.taken.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function setUp(): { slow: Slow; outbox: Outbox; emptied: () => number } {
  const slow = new Slow()
  let count = 0
  return { slow, outbox: new Outbox(slow, { onEmpty: () => (count += 1) }), emptied: () => count }
}

function addSmall(outbox: Outbox, text: string): void {
  const slab = outbox.room(text.length)
  const at = outbox.slabAt
  slab.write(text, at)
  outbox.commit(at + text.length)
}

test('small frames lie behind each other and leave in one write', async () => {
  const { slow, outbox, emptied } = setUp()
  for (const text of ['a', 'bc', 'def']) addSmall(outbox, text)
  expect(outbox.unsentBytes).toBe(6)
  outbox.flush()
  expect(slow.written.map(String)).toEqual(['abcdef'])
  expect(emptied()).toBe(0)
  await slow.accept()
  expect([outbox.unsentBytes, emptied()]).toEqual([0, 1])
})

test('one write at a time: what comes meanwhile waits, and leaves together', async () => {
  const { slow, outbox, emptied } = setUp()
  addSmall(outbox, 'first')
  outbox.flush()
  for (const text of ['2', '3', '4']) {
    addSmall(outbox, text)
    outbox.flush()
  }
  expect(slow.written.map(String)).toEqual(['first'])
  expect([outbox.blocked, outbox.unsentBytes]).toEqual([true, 8])
  await slow.accept()
  expect(slow.written.map(String)).toEqual(['first', '234'])
  await slow.accept()
  expect([outbox.blocked, outbox.unsentBytes, emptied()]).toEqual([false, 0, 1])
})

test('a large body is written as it is, in order with what is around it', async () => {
  const { slow, outbox } = setUp()
  const body = Buffer.alloc(100_000, 'x')
  addSmall(outbox, 'head')
  outbox.add(body, 0, body.length)
  addSmall(outbox, 'tail')
  outbox.flush()
  for (let round = 0; round < 3; round += 1) await slow.accept()
  expect(Buffer.concat(slow.written).equals(Buffer.from(`head${'x'.repeat(100_000)}tail`))).toBe(
    true,
  )
  expect(slow.written.map(({ length }) => length)).toEqual([4, 100_000, 4])
})

test('outboxes take turns with a slab, and never see the bytes of another', async () => {
  const all = [setUp(), setUp(), setUp()]
  const expected = all.map(() => '')
  for (let round = 0; round < 2_000; round += 1) {
    const at = (round * 7) % 3
    const text = `${at}:${round};`.padEnd(round % 150, String(at))
    addSmall(all[at]!.outbox, text)
    expected[at] += text
    if (round % 11 === 0) all[at]!.outbox.flush()
    if (round % 13 === 0) await all[at]!.slow.accept()
  }
  for (const [at, { slow, outbox }] of all.entries()) {
    outbox.end()
    while (slow.writableLength > 0) await slow.accept()
    expect(slow.written.join('')).toBe(expected[at])
  }
})

test('end writes what waits; after it nothing is written', async () => {
  const { slow, outbox } = setUp()
  addSmall(outbox, 'a')
  outbox.flush()
  addSmall(outbox, 'b')
  outbox.end()
  addSmall(outbox, 'late')
  await slow.accept()
  await slow.accept()
  outbox.flush()
  outbox.end()
  expect(slow.written.map(String)).toEqual(['a', 'b'])
  expect(outbox.unsentBytes).toBe(0)
})
