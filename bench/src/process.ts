// One end of one contender, in a process of its own, driven over IPC.
//   in  -> `serve`, or `connect` and `run`
//   out -> a port; figures of this process alone

import type { Connection } from './contender.ts'
import { contenderOf } from './contenders/index.ts'
import { message } from './workloads.ts'

export type Order =
  | { readonly do: 'serve' }
  | { readonly do: 'connect'; readonly port: number }
  | { readonly do: 'cpu' }
  | { readonly do: 'unary'; readonly inFlight: number; readonly ms: number }
  | { readonly do: 'stream'; readonly items: number }

export interface Figures {
  readonly calls: number
  readonly ms: number
  /** User and system time of this process, in microseconds. */
  readonly cpuUs: number
  readonly p50Us?: number
  readonly p99Us?: number
}

const contender = contenderOf(process.argv[2] ?? '')
let connection: Connection | undefined

process.on('message', (order: Order) => {
  carryOut(order).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function carryOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'serve':
      return contender.serve()
    case 'connect':
      connection = await contender.connect(order.port)
      return undefined
    case 'cpu':
      return cpuUs()
    case 'unary':
      return unary(order.inFlight, order.ms)
    case 'stream':
      return stream(order.items)
  }
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function unary(inFlight: number, ms: number): Promise<Figures> {
  const open = connection!
  const started = performance.now()
  const cpu = cpuUs()
  const times: number[] = []
  let calls = 0
  const one = async (): Promise<void> => {
    while (performance.now() - started < ms) {
      const from = inFlight === 1 ? performance.now() : 0
      const answer = await open.echo(message)
      if (answer.id !== message.id) throw new Error('wrong answer')
      calls += 1
      if (inFlight === 1) times.push((performance.now() - from) * 1_000)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  const figures = { calls, ms: performance.now() - started, cpuUs: cpuUs() - cpu }
  if (times.length === 0) return figures
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)]!
  return { ...figures, p50Us: at(0.5), p99Us: at(0.99) }
}

async function stream(items: number): Promise<Figures> {
  const started = performance.now()
  const cpu = cpuUs()
  const calls = await connection!.stream(items)
  if (calls !== items) throw new Error(`${calls} of ${items} items came`)
  return { calls, ms: performance.now() - started, cpuUs: cpuUs() - cpu }
}
