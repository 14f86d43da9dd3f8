import { describe, expect, test } from 'vitest'
import type { Message } from './message.ts'
import { Pump, type PumpEnd } from './pump.ts'
import type { StreamWriter } from './writer.ts'

/** Takes messages as a writer does; with `hold`, each waits until it is let go. */
class FakeWriter {
  open = true
  readonly sent: number[] = []
  private letGo: (() => void) | undefined
  private readonly hold: boolean

  constructor(hold = false) {
    this.hold = hold
  }

  send(message: { readonly n: number }): Promise<void> | undefined {
    this.sent.push(message.n)
    if (!this.hold) return undefined
    return new Promise((resolve) => {
      this.letGo = resolve
    })
  }

  next(): void {
    this.letGo?.()
  }

  get asWriter(): StreamWriter {
    // The pump uses `open` and `send` only.
    return this as unknown as StreamWriter
  }
}

const encode = (n: number): Message => ({ n }) as unknown as Message
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class Ended implements PumpEnd {
  readonly all: unknown[] = []
  onDone(): void {
    this.all.push('done')
  }
  onError(error: unknown): void {
    this.all.push(error)
  }
}

/** Numbers, with what happens to their generator. */
function counting(log: string[], until = Infinity): AsyncGenerator<number> {
  return (async function* () {
    try {
      for (let n = 0; n < until; n += 1) {
        log.push(`pull ${n}`)
        yield n
      }
      log.push('end')
    } finally {
      log.push('finally')
    }
  })()
}

describe('pulling', () => {
  test('sends every item in order, then is done', async () => {
    const [writer, end, log] = [new FakeWriter(), new Ended(), [] as string[]]
    await new Pump(counting(log, 100)).run(writer.asWriter, encode, end)
    expect(writer.sent).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(end.all).toEqual(['done'])
    expect(log.slice(-2)).toEqual(['end', 'finally'])
  })

  test('nothing is pulled ahead: a generator stands still while its item waits', async () => {
    const [writer, end, log] = [new FakeWriter(true), new Ended(), [] as string[]]
    const running = new Pump(counting(log, 3)).run(writer.asWriter, encode, end)
    for (let n = 0; n < 3; n += 1) {
      for (let turns = 0; turns < 5; turns += 1) await turn()
      expect(log).toEqual(Array.from({ length: n + 1 }, (_, at) => `pull ${at}`))
      writer.next()
    }
    await running
    expect(end.all).toEqual(['done'])
  })

  test('no items: done at once', async () => {
    const [writer, end] = [new FakeWriter(), new Ended()]
    await new Pump(counting([], 0)).run(writer.asWriter, encode, end)
    expect([writer.sent, end.all]).toEqual([[], ['done']])
  })

  test('an iterator without `return` will do', async () => {
    let n = 0
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () =>
          (n += 1) > 2 ? { done: true, value: undefined } : { done: false, value: n },
      }),
    }
    const [writer, end] = [new FakeWriter(), new Ended()]
    const pump = new Pump(items)
    await pump.run(writer.asWriter, encode, end)
    pump.stop()
    expect([writer.sent, end.all]).toEqual([[1, 2], ['done']])
  })
})

describe('what throws', () => {
  test('the generator: the items before it have gone, then the error [case C54]', async () => {
    const [writer, end] = [new FakeWriter(), new Ended()]
    const error = new Error('x')
    async function* failing(): AsyncGenerator<number> {
      yield 1
      yield 2
      throw error
    }
    await new Pump(failing()).run(writer.asWriter, encode, end)
    expect([writer.sent, end.all]).toEqual([[1, 2], [error]])
  })

  test('an item that does not encode: the generator runs its `finally`', async () => {
    const [writer, end, log] = [new FakeWriter(), new Ended(), [] as string[]]
    const error = new Error('does not encode')
    const failing = (n: number): Message => {
      if (n === 1) throw error
      return encode(n)
    }
    await new Pump(counting(log)).run(writer.asWriter, failing, end)
    await turn()
    expect([writer.sent, end.all]).toEqual([[0], [error]])
    expect(log).toEqual(['pull 0', 'pull 1', 'finally'])
  })

  test('`next` itself, and not in a promise', async () => {
    const error = new Error('sync')
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: (): Promise<IteratorResult<number>> => {
          throw error
        },
      }),
    }
    const end = new Ended()
    await new Pump(items).run(new FakeWriter().asWriter, encode, end)
    expect(end.all).toEqual([error])
  })

  test('`finally` after the end: nobody is told, nothing is unhandled', async () => {
    const [writer, end] = [new FakeWriter(true), new Ended()]
    const fail = (): never => {
      throw new Error('in finally')
    }
    async function* failing(): AsyncGenerator<number> {
      try {
        yield 1
      } finally {
        fail()
      }
    }
    const pump = new Pump(failing())
    const running = pump.run(writer.asWriter, encode, end)
    await turn()
    pump.stop()
    writer.next()
    await running
    await turn()
    expect(end.all).toEqual(['done'])
  })
})

describe('stopping', () => {
  test('a suspended generator runs its `finally` now [case C68]', async () => {
    const [writer, end, log] = [new FakeWriter(true), new Ended(), [] as string[]]
    const pump = new Pump(counting(log))
    const running = pump.run(writer.asWriter, encode, end)
    await turn()
    pump.stop()
    await turn()
    // Its item still waits; its generator is over all the same.
    expect(log).toEqual(['pull 0', 'finally'])
    writer.next()
    await running
    expect([writer.sent, end.all]).toEqual([[0], ['done']])
  })

  test('one that is busy runs it when it comes to rest, and its item is not sent', async () => {
    const [writer, end, log] = [new FakeWriter(), new Ended(), [] as string[]]
    let wake: () => void = () => undefined
    async function* busy(): AsyncGenerator<number> {
      try {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        yield 1
      } finally {
        log.push('finally')
      }
    }
    const pump = new Pump(busy())
    const running = pump.run(writer.asWriter, encode, end)
    await turn()
    pump.stop()
    await turn()
    expect(log).toEqual([])
    wake()
    await running
    await turn()
    expect([log, writer.sent, end.all]).toEqual([['finally'], [], ['done']])
  })

  test('before it has begun: nothing is pulled', async () => {
    const [writer, end, log] = [new FakeWriter(), new Ended(), [] as string[]]
    const pump = new Pump(counting(log))
    pump.stop()
    pump.stop()
    await pump.run(writer.asWriter, encode, end)
    expect([log, writer.sent, end.all]).toEqual([[], [], ['done']])
  })

  test('`return` is asked for once, however often it is stopped', async () => {
    let returns = 0
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: () => {
          returns += 1
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    }
    const [writer, end] = [new FakeWriter(true), new Ended()]
    const pump = new Pump(items)
    const running = pump.run(writer.asWriter, encode, end)
    await turn()
    pump.stop()
    pump.stop()
    writer.next()
    await running
    pump.stop()
    expect([returns, end.all]).toEqual([1, ['done']])
  })

  test('a writer that is closed meanwhile: the generator is left, the item dropped', async () => {
    const [writer, end, log] = [new FakeWriter(true), new Ended(), [] as string[]]
    const running = new Pump(counting(log)).run(writer.asWriter, encode, end)
    await turn()
    writer.open = false
    writer.next()
    await running
    expect(log).toEqual(['pull 0', 'pull 1', 'finally'])
    expect([writer.sent, end.all]).toEqual([[0], ['done']])
  })
})
