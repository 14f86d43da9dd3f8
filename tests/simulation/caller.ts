// Does one operation as a user of the client would, and writes down how it went.
//   in  -> an operation, a client
//   out -> entries of the trace: issue, items, one end

import type { Client } from '@callbox/client'
import { isRpcError } from '@callbox/core/internal'
import { itemText, padOf, textOf, type model, type Place } from './model.ts'
import type { Operation } from './operations.ts'

/** A signal that says how many listen to it. */
export class CountedSignal {
  aborted = false
  reason: unknown
  private readonly listeners = new Set<() => void>()

  get listening(): number {
    return this.listeners.size
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener)
  }

  abort(): void {
    this.aborted = true
    this.reason = new Error('aborted')
    for (const listener of this.listeners) listener()
  }
}

/** Who makes operations. */
export interface CallerPlace extends Place {
  readonly client: Client<{ model: typeof model }>
  closed: boolean
}

/** Whoever makes an operation while it runs. */
export interface Performing {
  readonly operation: Operation
  readonly signal: CountedSignal
  settled: boolean
  /** Settles when it has; never rejects. */
  done: Promise<void>
}

export function perform(place: CallerPlace, operation: Operation): Performing {
  const signal = new CountedSignal()
  const performing: Performing = { operation, signal, settled: false, done: Promise.resolve() }
  const { op } = operation
  place.trace.add(place, 'issue', op, operation.kind)
  if (operation.cancelAfterMs !== undefined)
    place.host.after(operation.cancelAfterMs, () => {
      if (performing.settled) return
      place.trace.add(place, 'cancel', op)
      signal.abort()
    })
  performing.done = run(place, operation, signal).then(
    (value) => {
      performing.settled = true
      place.trace.add(place, 'ok', op, value)
    },
    (error: unknown) => {
      performing.settled = true
      const text = isRpcError(error)
        ? `${error.code} ${error.processed} ${error.message}`
        : `no RpcError: ${String(error)}`
      place.trace.add(place, 'error', op, text)
    },
  )
  return performing
}

async function run(
  place: CallerPlace,
  operation: Operation,
  signal: CountedSignal,
): Promise<string> {
  const { op, kind, size, everyMs: ms, timeoutMs, how } = operation
  const { model } = place.client
  const options = { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const pad = padOf(op, size)
  const wanted = { op, to: operation.items, ms, size }
  switch (kind) {
    case 'echo':
      return textOf(await model.echo({ op, ms, pad }, options))
    case 'add':
      return textOf(await model.add({ op, ms, pad: '' }, options))
    case 'read':
      return textOf(await model.read({ op, ms, pad }, options))
    case 'slow':
      return textOf(await model.slow({ op, ms, pad: '' }, options))
    case 'fail':
      if (how === 'once') return textOf(await model.flaky({ op, how }, options))
      return textOf(await model.fail({ op, how }, options))
    case 'count':
      return read(place, operation, model.count(wanted, options))
    case 'follow':
      return read(place, operation, model.follow(wanted, options))
    case 'sum':
      return textOf(await model.sum(wanted, uploads(place, operation), options))
    case 'mirror':
      return mirror(place, operation, model.mirror(wanted, options))
    case 'note':
      await model.note({ op, n: op, pad }, options)
      return 'sent'
    case 'ask':
      return textOf(await model.ask({ op, how, items: operation.items, ms, size }, options))
    case 'close':
      place.closed = true
      await place.client.close()
      return 'closed'
  }
}

type AnyItem = { op: number; n: number; pad: string }

async function read(
  place: CallerPlace,
  { op, breakAfter }: Operation,
  items: AsyncIterable<AnyItem>,
): Promise<string> {
  let count = 0
  for await (const item of items) {
    place.trace.add(place, 'item', op, itemText(item))
    count += 1
    if (count === breakAfter) {
      place.trace.add(place, 'cancel', op, 'break')
      return `left ${count}`
    }
  }
  return `read ${count}`
}

async function* uploads(
  place: CallerPlace,
  { op, items, everyMs, size }: Operation,
): AsyncGenerator<AnyItem> {
  for (let n = 1; n <= items; n += 1) {
    if (everyMs > 0) await place.host.sleep(everyMs)
    const item = { op, n, pad: padOf(op, size) }
    place.trace.add(place, 'gave', op, itemText(item))
    yield item
  }
}

interface AnyDuplex extends AsyncIterable<AnyItem> {
  send(item: AnyItem): Promise<void>
  end(): void
}

async function mirror(
  place: CallerPlace,
  operation: Operation,
  stream: AnyDuplex,
): Promise<string> {
  const sending = (async () => {
    for await (const item of uploads(place, operation)) await stream.send(item)
    stream.end()
  })()
  // Its reader is told what went wrong.
  sending.catch(() => undefined)
  return read(place, operation, stream)
}
