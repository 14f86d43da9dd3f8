import { describe, expect, test } from 'vitest'
import { SendQueue, type Outlet, type Readiness } from './send-queue.ts'

/** Sends what its script says: after each frame, what follows it. */
class Script implements Outlet {
  queued = false
  readyBytes: number
  private readonly name: string
  private readonly rest: Readiness[]
  private readonly log: string[]

  constructor(log: string[], name: string, rest: readonly Readiness[] = [], readyBytes = 0) {
    this.log = log
    this.name = name
    this.rest = [...rest]
    this.readyBytes = readyBytes
  }

  sendFrame(): Readiness {
    expect(this.queued).toBe(false)
    this.log.push(this.name)
    return this.rest.shift() ?? 'nothing'
  }
}

function world(): {
  queue: SendQueue
  log: string[]
  make: (name: string, ...rest: Readiness[]) => Script
} {
  const log: string[] = []
  return {
    queue: new SendQueue(),
    log,
    make: (name, ...rest) => new Script(log, name, rest),
  }
}

describe('order', () => {
  test('single frames first, in the order they were added, then fragments', () => {
    const { queue, log, make } = world()
    queue.add(make('bulk'), 'fragment')
    queue.add(make('a'), 'single')
    queue.add(make('b'), 'single')
    queue.pump(() => true)
    expect(log).toEqual(['a', 'b', 'bulk'])
    expect(queue.empty).toBe(true)
  })

  test('fragments go round: one of each outlet', () => {
    const { queue, log, make } = world()
    for (const name of ['x', 'y', 'z'])
      queue.add(make(name, 'fragment', 'fragment', 'fragment'), 'fragment')
    queue.pump(() => true)
    expect(log.join('')).toBe('xyzxyzxyzxyz')
  })

  test('a single frame that comes between fragments goes next', () => {
    const { queue, log, make } = world()
    const small = make('small')
    queue.add(make('x', 'fragment', 'fragment'), 'fragment')
    let left = 2
    queue.pump(() => (left -= 1) >= 0)
    queue.add(small, 'single')
    queue.pump(() => true)
    expect(log).toEqual(['x', 'x', 'small', 'x'])
  })

  test('an outlet whose next frame is of the other class changes class', () => {
    const { queue, log, make } = world()
    queue.add(make('x', 'single', 'fragment', 'single'), 'fragment')
    queue.add(make('y', 'fragment'), 'fragment')
    queue.pump(() => true)
    // x sends its single at once, its next fragment waits behind that of y.
    expect(log.join('')).toBe('xxyxxy')
  })

  test('singles of one busy outlet do not keep the others of its class out', () => {
    const { queue, log, make } = world()
    queue.add(make('a', 'single', 'single'), 'single')
    queue.add(make('b', 'single', 'single'), 'single')
    queue.pump(() => true)
    expect(log.join('')).toBe('ababab')
  })
})

describe('standing in the queue', () => {
  test('once: adding again changes nothing, not even the class', () => {
    const { queue, log, make } = world()
    const a = make('a')
    queue.add(a, 'fragment')
    queue.add(a, 'single')
    queue.add(a, 'fragment')
    expect([queue.length, a.queued]).toEqual([1, true])
    queue.pump(() => true)
    expect(log).toEqual(['a'])
    expect(a.queued).toBe(false)
  })

  test('who has nothing to send does not stand there', () => {
    const { queue, make } = world()
    const a = make('a')
    queue.add(a, 'nothing')
    expect([queue.empty, queue.length, a.queued]).toEqual([true, 0, false])
  })

  test('who has sent its last may stand there again', () => {
    const { queue, log, make } = world()
    const a = make('a')
    for (let n = 0; n < 3; n += 1) {
      queue.add(a, 'single')
      queue.pump(() => true)
    }
    expect(log).toEqual(['a', 'a', 'a'])
  })

  test('an outlet may add others while it sends', () => {
    const { queue, log, make } = world()
    const later = make('later')
    const first = make('first', 'single')
    const send = first.sendFrame.bind(first)
    first.sendFrame = () => {
      queue.add(later, 'single')
      return send()
    }
    queue.add(first, 'single')
    queue.pump(() => true)
    expect(log).toEqual(['first', 'later', 'first', 'later'])
  })

  test('after clear nothing is sent', () => {
    const { queue, log, make } = world()
    queue.add(make('a'), 'single')
    queue.add(make('b'), 'fragment')
    queue.clear()
    queue.pump(() => true)
    expect([log, queue.length, queue.readyBytes]).toEqual([[], 0, 0])
  })
})

test('who stood in a queue that was cleared may stand in another one', () => {
  const { queue, log, make } = world()
  const [single, bulk] = [make('single'), make('bulk')]
  queue.add(single, 'single')
  queue.add(bulk, 'fragment')
  queue.clear()
  expect([single.queued, bulk.queued]).toEqual([false, false])
  const next = new SendQueue()
  next.add(single, 'single')
  next.add(bulk, 'fragment')
  next.pump(() => true)
  expect(log).toEqual(['single', 'bulk'])
})

describe('feeding', () => {
  test('stops when the link has enough, and goes on where it stopped', () => {
    const { queue, log, make } = world()
    for (const name of ['a', 'b', 'c']) queue.add(make(name), 'single')
    let left = 2
    const fed = (): boolean => (left -= 1) >= 0
    queue.pump(fed)
    expect([log, queue.length]).toEqual([['a', 'b'], 1])
    queue.pump(() => false)
    expect(log).toEqual(['a', 'b'])
    queue.pump(() => true)
    expect(log).toEqual(['a', 'b', 'c'])
  })

  test('asks for the class that would be next', () => {
    const { queue, make } = world()
    queue.add(make('bulk', 'fragment'), 'fragment')
    queue.add(make('a'), 'single')
    const asked: boolean[] = []
    queue.pump((fragment) => asked.push(fragment) > 0)
    expect(asked).toEqual([false, true, true])
  })

  test('a ring that has no room for fragments stops them, single frames go on', () => {
    const { queue, log, make } = world()
    queue.add(make('bulk', 'fragment', 'fragment'), 'fragment')
    const noFragments = (fragment: boolean): boolean => !fragment
    queue.pump(noFragments)
    queue.add(make('a', 'single'), 'single')
    queue.pump(noFragments)
    expect(log).toEqual(['a', 'a'])
    expect(queue.length).toBe(1)
  })

  test('an empty queue asks nobody', () => {
    let asked = 0
    new SendQueue().pump(() => (asked += 1) > 0)
    expect(asked).toBe(0)
  })
})

test('bytes that wait only for the link are summed over both classes', () => {
  const log: string[] = []
  const queue = new SendQueue()
  queue.add(new Script(log, 'a', [], 100), 'single')
  queue.add(new Script(log, 'b', [], 20), 'fragment')
  queue.add(new Script(log, 'c', [], 3), 'fragment')
  expect(queue.readyBytes).toBe(123)
  let left = 1
  queue.pump(() => (left -= 1) >= 0)
  expect(queue.readyBytes).toBe(23)
})

test('1,000 outlets of 10 fragments each: every round is complete before the next', () => {
  const { queue, log, make } = world()
  const count = 1_000
  for (let n = 0; n < count; n += 1)
    queue.add(make(`${n}`, ...new Array<Readiness>(9).fill('fragment')), 'fragment')
  queue.pump(() => true)
  expect(log).toHaveLength(10 * count)
  for (let round = 0; round < 10; round += 1)
    expect(new Set(log.slice(round * count, (round + 1) * count)).size).toBe(count)
})

test('one that is taken out sends nothing here, and may stand elsewhere', () => {
  const [queue, other] = [new SendQueue(), new SendQueue()]
  const sent: string[] = []
  const outlet = (name: string): Outlet => ({
    queued: false,
    readyBytes: 1,
    sendFrame: () => (sent.push(name), 'nothing'),
  })
  const [a, b, c] = [outlet('a'), outlet('b'), outlet('c')]
  queue.add(a, 'single')
  queue.add(b, 'fragment')
  queue.add(c, 'single')
  queue.remove(c)
  queue.remove(b)
  queue.remove(b)
  expect([queue.length, a.queued, b.queued, c.queued]).toEqual([1, true, false, false])
  other.add(b, 'fragment')
  queue.pump(() => true)
  other.pump(() => true)
  expect(sent).toEqual(['a', 'b'])
})
