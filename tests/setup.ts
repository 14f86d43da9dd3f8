// Set-up of every test file: whatever a test prints or leaves behind fails it.
//   in  -> the console, and on Node the open sockets, servers and signal listeners
//   out -> a failed test, or a failed file where no single test can be blamed
// Unhandled rejections and uncaught errors fail the run in vitest itself.

import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'

const methods = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const

let printed: string[] = []
const originals = new Map(methods.map((method) => [method, console[method]]))
const recorders = new Map(
  methods.map((method) => [
    method,
    (...parts: unknown[]) => {
      printed.push(`console.${method}: ${parts.map(String).join(' ')}`)
    },
  ]),
)

// A test that expects output puts its own spy there and gives the console back.
beforeEach(() => {
  printed = []
  for (const [method, recorder] of recorders) console[method] = recorder
})

afterEach(() => {
  for (const [method, original] of originals) console[method] = original
  expect(printed, 'a test may not print').toEqual([])
})

// A browser has no process, and its page goes away with the file.
if (typeof process !== 'undefined' && typeof process.getActiveResourcesInfo === 'function') {
  watchLeftovers()
}

/** Fails a file that ends with more servers, sockets, timers or listeners than it began with. */
function watchLeftovers(): void {
  // Of all resources these are the ones that our code opens and that keep a process alive.
  const kinds = ['TCPServerWrap', 'TCPSocketWrap', 'PipeWrap', 'ProcessWrap', 'Timeout']
  const events = ['uncaughtException', 'unhandledRejection', 'SIGINT', 'SIGTERM', 'exit']
  const settleMs = 3_000
  let before = new Map<string, number>()

  const count = (): Map<string, number> => {
    const counts = new Map<string, number>(kinds.map((kind) => [kind, 0]))
    for (const kind of process.getActiveResourcesInfo()) {
      const known = counts.get(kind)
      if (known !== undefined) counts.set(kind, known + 1)
    }
    for (const event of events) counts.set(`listener of ${event}`, process.listenerCount(event))
    return counts
  }
  const leftovers = (): string[] =>
    [...count()].flatMap(([kind, now]) => {
      const extra = now - (before.get(kind) ?? 0)
      return extra > 0 ? [`${extra} ${kind}`] : []
    })

  beforeAll(() => {
    before = count()
  })

  // Closing a socket takes turns of the loop, so what is left is asked for until it is gone.
  afterAll(async () => {
    const until = performance.now() + settleMs
    let left = leftovers()
    while (left.length > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10).unref())
      left = leftovers()
    }
    expect(left, 'a test file left these open').toEqual([])
  })
}
