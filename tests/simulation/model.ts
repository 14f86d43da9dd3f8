// The service that simulated clients call: every kind of call, in both directions.
//   in  -> calls, with the number of the operation that they belong to
//   out -> results that follow from their input; entries of the trace for all that handlers see and do

import {
  bidi,
  clientStream,
  contract,
  event,
  serverStream,
  unary,
  type ClientHandlers,
  type Connection,
} from '@callbox/core'
import { implement, RpcError } from '@callbox/server'
import type { Host } from '@callbox/testing/simulation'
import * as T from 'typebox'
import type { Speaker, Trace } from './trace.ts'

const Input = T.Object({ op: T.Integer(), ms: T.Integer(), pad: T.String() })
const Item = T.Object({ op: T.Integer(), n: T.Integer(), pad: T.String() })
const Result = T.Object({ op: T.Integer(), value: T.Integer(), pad: T.String() })
const Wanted = T.Object({ op: T.Integer(), to: T.Integer(), ms: T.Integer(), size: T.Integer() })
const Failing = T.Object({ op: T.Integer(), how: T.String() })
const Asking = T.Object({
  op: T.Integer(),
  how: T.String(),
  items: T.Integer(),
  ms: T.Integer(),
  size: T.Integer(),
})

export const model = contract(
  'model',
  {
    echo: unary({ input: Input, output: Result }),
    add: unary({ input: Input, output: Result }),
    read: unary({ input: Input, output: Result, idempotent: true }),
    slow: unary({ input: Input, output: Result }),
    fail: unary({ input: Failing, output: Result, errors: { declared: T.Integer() } }),
    flaky: unary({ input: Failing, output: Result, idempotent: true }),
    count: serverStream({ input: Wanted, output: Item }),
    sum: clientStream({ params: Wanted, input: Item, output: Result }),
    mirror: bidi({ params: Wanted, input: Item, output: Item }),
    note: event({ input: Item }),
    follow: serverStream({ input: Wanted, output: Item, resumable: T.Integer() }),
    ask: unary({ input: Asking, output: Result }),
  },
  {
    client: {
      confirm: unary({ input: Input, output: Result }),
      list: serverStream({ input: Wanted, output: Item }),
      gather: clientStream({ params: Wanted, input: Item, output: Result }),
      tell: event({ input: Item }),
    },
  },
)

/** What comes must be what was sent, whoever sent it. */
function checkPad(place: Place, op: number, pad: string): void {
  if (pad !== padOf(op, pad.length)) place.onWrongData(op)
}

export const padOf = (op: number, size: number): string =>
  String.fromCharCode(97 + (op % 26)).repeat(size)

/** A result as one text, for comparison. */
export const textOf = ({ op, value, pad }: { op: number; value: number; pad: string }): string =>
  `${op}:${value}:${pad.length}`

export const itemText = ({ op, n, pad }: { op: number; n: number; pad: string }): string =>
  `${op}:${n}:${pad.length}`

/** What of a host the model needs: a real process has it as well. */
export type PlaceHost = Pick<Host, 'clock' | 'sleep' | 'after' | 'frozenMs'>

/** One server, as its handlers know it. */
export interface Place extends Speaker {
  readonly who: string
  readonly host: PlaceHost
  readonly trace: Trace
  /** The counter: how much was added in this process. */
  added: number
  connectionNumber(connection: Connection): number
  /** A payload has come that nobody has sent. */
  onWrongData(op: number): void
}

interface Called {
  readonly signal: { readonly aborted: boolean }
  readonly deadline: number | undefined
  readonly connection?: Connection
}

interface Listening {
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
  readonly aborted: boolean
}

/** Waits, unless nobody waits for the result any more. */
async function pause(host: PlaceHost, ms: number, signal: Listening): Promise<void> {
  if (ms === 0 || signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = host.clock.setTimer(done, ms)
    function done(): void {
      host.clock.clearTimer(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}

/** What a handler leaves in the trace. */
class Notes {
  private readonly place: Place
  private readonly op: number
  private readonly connection: number

  constructor(place: Place, op: number, call: Called, value = '') {
    this.place = place
    this.op = op
    const { connection } = call
    this.connection = connection === undefined ? -1 : place.connectionNumber(connection)
    // `Infinity`: without a deadline.
    this.add('start', `${Math.floor(call.deadline ?? Infinity)} ${value}`)
  }

  add(what: 'start' | 'took' | 'gave' | 'finish', value: string): void {
    this.place.trace.add(this.place, what, this.op, value, this.connection)
  }

  finish<R extends { op: number; value: number; pad: string }>(result: R): R {
    this.add('finish', textOf(result))
    return result
  }
}

type AnyItem = { op: number; n: number; pad: string }

/** Gives items until there are enough, or nobody wants more. */
async function* items(
  notes: Notes,
  place: Place,
  wanted: { op: number; to: number; ms: number; size: number },
  signal: Listening,
): AsyncGenerator<AnyItem> {
  const { op, to, ms, size } = wanted
  for (let n = 1; n <= to; n += 1) {
    await pause(place.host, ms, signal)
    const item = { op, n, pad: padOf(op, size) }
    notes.add('gave', itemText(item))
    yield item
  }
  notes.add('finish', 'end')
}

async function gathered(
  place: Place,
  notes: Notes,
  op: number,
  input: AsyncIterable<AnyItem>,
): Promise<{ op: number; value: number; pad: string }> {
  let value = 0
  for await (const item of input) {
    notes.add('took', itemText(item))
    checkPad(place, item.op, item.pad)
    value += item.n
  }
  return notes.finish({ op, value, pad: '' })
}

/** The handlers of one server. */
export function serviceOf(place: Place): ReturnType<typeof implement<typeof model>> {
  const { host } = place
  const failedOnce = new Set<number>()
  return implement(model, {
    echo: ({ op, pad }, call) => {
      checkPad(place, op, pad)
      return new Notes(place, op, call).finish({ op, value: 0, pad })
    },
    add: ({ op }, call) => {
      const notes = new Notes(place, op, call)
      place.added += 1
      return notes.finish({ op, value: place.added, pad: '' })
    },
    read: async ({ op, ms, pad }, call) => {
      const notes = new Notes(place, op, call)
      await pause(host, ms, call.signal)
      return notes.finish({ op, value: place.added, pad })
    },
    slow: async ({ op, ms, pad }, call) => {
      const notes = new Notes(place, op, call)
      await pause(host, ms, call.signal)
      return notes.finish({ op, value: call.signal.aborted ? 1 : 0, pad })
    },
    fail: ({ op, how }, call) => {
      const notes = new Notes(place, op, call)
      notes.add('finish', how)
      if (how === 'declared') throw call.errors.declared(op)
      if (how === 'unavailable') throw new RpcError('unavailable', 'on purpose')
      throw new Error('thrown on purpose')
    },
    flaky: ({ op }, call) => {
      const notes = new Notes(place, op, call)
      if (!failedOnce.has(op)) {
        failedOnce.add(op)
        notes.add('finish', 'unavailable')
        throw new RpcError('unavailable', 'not at once')
      }
      return notes.finish({ op, value: 0, pad: '' })
    },
    count: (wanted, call) => items(new Notes(place, wanted.op, call), place, wanted, call.signal),
    sum: (params, call) =>
      gathered(place, new Notes(place, params.op, call), params.op, call.input),
    mirror: async function* (params, call) {
      const notes = new Notes(place, params.op, call)
      for await (const item of call.input) {
        notes.add('took', itemText(item))
        const back = { ...item, n: 2 * item.n }
        notes.add('gave', itemText(back))
        yield back
      }
      notes.add('finish', 'end')
    },
    note: async (item, call) => {
      const connection = place.connectionNumber(call.connection)
      place.trace.add(place, 'took', item.op, itemText(item), connection)
      // Some take their time: their credit comes back late.
      if (item.n % 5 === 0) await host.sleep(200)
    },
    follow: async function* (wanted, call) {
      const from = call.cursor ?? 0
      const notes = new Notes(place, wanted.op, call, String(from))
      for (let n = from + 1; n <= wanted.to; n += 1) {
        await pause(host, wanted.ms, call.signal)
        const item = { op: wanted.op, n, pad: padOf(wanted.op, wanted.size) }
        notes.add('gave', itemText(item))
        yield call.at(n, item)
      }
      notes.add('finish', 'end')
    },
    ask: async ({ op, how, items: to, ms, size }, call) => {
      const notes = new Notes(place, op, call)
      const value = await askBack(notes, { op, how, to, ms, size }, call.client)
      return notes.finish({ op, value, pad: '' })
    },
  })
}

type Back = ReturnType<Connection['client']> & {
  confirm(input: { op: number; ms: number; pad: string }): Promise<{ value: number }>
  list(input: { op: number; to: number; ms: number; size: number }): AsyncIterable<AnyItem>
  gather(
    params: { op: number; to: number; ms: number; size: number },
    uploads: AsyncIterable<AnyItem>,
  ): Promise<{ value: number }>
  tell(item: AnyItem): Promise<void>
}

/** A call to the client that has called. */
async function askBack(
  notes: Notes,
  asked: { op: number; how: string; to: number; ms: number; size: number },
  client: Pick<Back, 'confirm' | 'list' | 'gather' | 'tell'>,
): Promise<number> {
  const { op, how, to, ms, size } = asked
  switch (how) {
    case 'confirm':
      return (await client.confirm({ op, ms, pad: padOf(op, size) })).value
    case 'list': {
      let value = 0
      for await (const item of client.list({ op, to, ms, size })) {
        notes.add('took', itemText(item))
        value += item.n
      }
      return value
    }
    case 'gather':
      return (await client.gather({ op, to, ms, size }, uploads(op, to, size))).value
    default:
      await client.tell({ op, n: 1, pad: padOf(op, Math.min(size, 10_000)) })
      return 1
  }
}

async function* uploads(op: number, to: number, size: number): AsyncGenerator<AnyItem> {
  for (let n = 1; n <= to; n += 1) yield { op, n, pad: padOf(op, size) }
}

/** What a client serves. */
export function clientHandlers(place: Place): ClientHandlers<typeof model> {
  return {
    confirm: async ({ op, ms, pad }, call) => {
      const notes = new Notes(place, op, call)
      await pause(place.host, ms, call.signal)
      return notes.finish({ op, value: pad.length, pad: '' })
    },
    list: (wanted, call) => items(new Notes(place, wanted.op, call), place, wanted, call.signal),
    gather: (params, call) =>
      gathered(place, new Notes(place, params.op, call), params.op, call.input),
    tell: (item) => {
      place.trace.add(place, 'took', item.op, itemText(item))
    },
  }
}
