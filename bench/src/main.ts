// Runs every workload on every contender, interleaved, and prints ratios.
//   in  -> --rounds, --only, --contenders, --ms
//   out -> a table; with --json the figures of every round
// Absolute numbers of a shared machine are no claim: only ratios within one run are.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { contenders } from './contenders/index.ts'
import type { Figures, Order } from './process.ts'
import { workloads, type Workload } from './workloads.ts'

const usage = `npm run bench -- [options]

  --rounds <n>        rounds of every workload, interleaved (5)
  --ms <n>            milliseconds of one unary measurement (1500)
  --only <list>       workloads, of W1,W2,W4
  --contenders <list> of ${contenders.map(({ name }) => name).join(',')}
  --json              every figure of every round as JSON on standard output
  --help              this text`

interface Ends {
  readonly name: string
  readonly server: ChildProcess
  readonly client: ChildProcess
}

interface Sample {
  readonly callsPerSecond: number
  readonly serverCpuUs: number
  readonly clientCpuUs: number
  readonly p50Us?: number | undefined
}

const given = process.argv.slice(2).filter((arg, index) => !(index === 0 && arg === '--'))
const { values } = parseArgs({
  args: given,
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '1500' },
    only: { type: 'string' },
    contenders: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(usage)
else await run()

async function run(): Promise<void> {
  const names = chosen(
    values.contenders,
    contenders.map(({ name }) => name),
  )
  const ids = chosen(values.only, ['W1', 'W2', 'W4'])
  const rounds = positive(values.rounds, '--rounds')
  const ms = positive(values.ms, '--ms')
  const ends = await Promise.all(names.map(start))
  const samples = new Map<string, Sample[]>()
  const work = workloads.filter(({ id }) => ids.includes(id))
  // A first round warms the compilers up and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    for (const workload of work) {
      for (const end of ends) {
        progress(`round ${round} of ${rounds}  ${workload.title}  ${end.name}`)
        const sample = await measure(end, workload, round === 0 ? Math.min(ms, 800) : ms)
        const key = `${workload.title}|${end.name}`
        if (round > 0) samples.set(key, [...(samples.get(key) ?? []), sample])
      }
    }
  }
  progress('')
  for (const { server, client } of ends) {
    server.disconnect()
    client.disconnect()
  }
  if (values.json) console.log(JSON.stringify(Object.fromEntries(samples), undefined, 1))
  else print(work, names, samples, rounds)
}

/** On a terminal only: a log needs no history of it. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}

async function start(name: string): Promise<Ends> {
  const program = fileURLToPath(new URL('process.ts', import.meta.url))
  const make = (): ChildProcess =>
    fork(program, [name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ends = { name, server: make(), client: make() }
  const port = (await ask(ends.server, { do: 'serve' })) as number
  await ask(ends.client, { do: 'connect', port })
  return ends
}

async function ask(child: ChildProcess, order: Order): Promise<unknown> {
  const answer = once(child, 'message')
  child.send(order)
  const [{ result, error }] = (await answer) as [{ result?: unknown; error?: string }]
  if (error !== undefined) throw new Error(error)
  return result
}

async function measure({ server, client }: Ends, workload: Workload, ms: number): Promise<Sample> {
  const before = (await ask(server, { do: 'cpu' })) as number
  const order: Order =
    workload.id === 'W4'
      ? { do: 'stream', items: workload.size }
      : { do: 'unary', inFlight: workload.size, ms }
  const figures = (await ask(client, order)) as Figures
  const serverCpu = ((await ask(server, { do: 'cpu' })) as number) - before
  return {
    callsPerSecond: (figures.calls / figures.ms) * 1_000,
    serverCpuUs: serverCpu / figures.calls,
    clientCpuUs: figures.cpuUs / figures.calls,
    p50Us: figures.p50Us,
  }
}

function print(
  work: readonly Workload[],
  names: readonly string[],
  samples: Map<string, Sample[]>,
  rounds: number,
): void {
  console.log(
    `Node ${process.version}, ${rounds} rounds interleaved, two processes each; median [min..max]\n`,
  )
  for (const { title } of work) {
    console.log(title)
    const of = (name: string): Sample[] => samples.get(`${title}|${name}`) ?? []
    const floor = names.includes('floor-net') ? of('floor-net') : of(names[0]!)
    const floorRate = median(floor.map(({ callsPerSecond }) => callsPerSecond))
    const floorCpu = median(floor.map(cpu))
    for (const name of names) {
      const rate = of(name).map(({ callsPerSecond }) => callsPerSecond)
      const p50 = of(name).flatMap(({ p50Us }) => p50Us ?? [])
      const columns = [
        name.padEnd(19),
        `${spread(rate, 0)}/s`.padEnd(30),
        `x${(median(rate) / floorRate).toFixed(2)}`.padEnd(7),
        `CPU ${median(of(name).map((s) => s.serverCpuUs)).toFixed(2)} + ${median(of(name).map((s) => s.clientCpuUs)).toFixed(2)} us`.padEnd(
          22,
        ),
        `x${(median(of(name).map(cpu)) / floorCpu).toFixed(2)}`.padEnd(7),
        p50.length === 0 ? '' : `p50 ${spread(p50, 0)} us`,
      ]
      console.log(`  ${columns.join(' ').trimEnd()}`)
    }
    console.log()
  }
  console.log('x: ratio to floor-net. CPU: server + client, microseconds a call or item.')
}

function cpu({ serverCpuUs, clientCpuUs }: Sample): number {
  return serverCpuUs + clientCpuUs
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function spread(values: readonly number[], digits: number): string {
  const text = (value: number): string => value.toFixed(digits)
  return `${text(median(values))} [${text(Math.min(...values))}..${text(Math.max(...values))}]`
}

function chosen(list: string | undefined, all: readonly string[]): readonly string[] {
  if (list === undefined) return all
  const wanted = list.split(',').map((entry) => entry.trim())
  for (const entry of wanted)
    if (!all.includes(entry)) throw new Error(`'${entry}' is none of ${all.join(', ')}\n\n${usage}`)
  return wanted
}

function positive(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${option} must be a whole number from 1`)
  return value
}
