// The message-level WebSocket beside npm `ws`, on both ends, two processes each, in one run.
//   in  -> --rounds N (default 5), --ms N for each round (default 1,000), --idle N connections
//   out -> ratios, Callbox to ws: CPU per message of both ends together, rates; median, min and max
// Contenders take turns, so that a busy machine slows both. Absolute figures are no claim.

import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Figures, Order } from './end.ts'

const given = process.argv.slice(2)
const { values } = parseArgs({
  args: given[0] === '--' ? given.slice(1) : given,
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '1000' },
    idle: { type: 'string', default: '1000' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) {
  console.log('npm run bench:raw -- [--rounds N] [--ms N] [--idle N]')
  process.exit(0)
}
const rounds = Number(values.rounds)
const ms = Number(values.ms)
const idle = Number(values.idle)

/**
 * As one file of JavaScript, as users run it: what translates TypeScript on the fly gives every
 * closure a name, which costs each idle connection some hundred bytes.
 */
const program = fileURLToPath(new URL('../../node_modules/.cache/raw-end.mjs', import.meta.url))
execFileSync(fileURLToPath(new URL('../../../node_modules/.bin/esbuild', import.meta.url)), [
  fileURLToPath(new URL('end.ts', import.meta.url)),
  '--bundle',
  '--platform=node',
  '--format=esm',
  '--conditions=@callbox/source',
  '--external:ws',
  '--log-level=warning',
  `--outfile=${program}`,
])

class End {
  private readonly child: ChildProcess

  constructor(name: string) {
    this.child = fork(program, [name], { execArgv: ['--expose-gc'] })
    // One that dies answers nothing: the figures of this run are none.
    this.child.on('exit', (code) => {
      if (code !== 0) process.exit(1)
    })
  }

  order<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      this.child.once('message', (answer: { result: T; error?: string }) => {
        if (answer.error === undefined) resolve(answer.result)
        else reject(new Error(answer.error))
      })
      this.child.send(order)
    })
  }

  stop(): void {
    this.child.disconnect()
  }
}

interface Pair {
  readonly server: End
  readonly client: End
}

async function pairOf(name: string): Promise<Pair> {
  const pair = { server: new End(name), client: new End(name) }
  const port = await pair.server.order<number>({ do: 'serve' })
  await pair.client.order({ do: 'connect', port })
  return pair
}

interface Measured {
  /** Messages a second. */
  readonly rate: number
  readonly serverUs: number
  readonly clientUs: number
}

async function measure({ server, client }: Pair, order: Order): Promise<Measured> {
  const before = await server.order<number>({ do: 'cpu' })
  const figures = await client.order<Figures>(order)
  const used = (await server.order<number>({ do: 'cpu' })) - before
  const { messages, cpuUs } = figures
  return {
    rate: (messages / figures.ms) * 1_000,
    serverUs: used / messages,
    clientUs: cpuUs / messages,
  }
}

const workloads: readonly (readonly [title: string, order: Order])[] = [
  ['echo 32 B, 1 in flight', { do: 'echo', bytes: 32, inFlight: 1, ms }],
  ['echo 32 B, 64 in flight', { do: 'echo', bytes: 32, inFlight: 64, ms }],
  ['echo 32 B, 1,024 in flight', { do: 'echo', bytes: 32, inFlight: 1_024, ms }],
  ['one way 32 B', { do: 'stream', bytes: 32, ms }],
  ['echo 64 KiB, 8 in flight', { do: 'echo', bytes: 64 * 1024, inFlight: 8, ms }],
  ['echo 1 MiB, 4 in flight', { do: 'echo', bytes: 1024 * 1024, inFlight: 4, ms }],
]

function spread(numbers: readonly number[]): string {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (share: number): string => sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(2)
  return `${at(0.5)} (${at(0)} to ${at(1)})`
}

const callbox = await pairOf('callbox')
const ws = await pairOf('ws')
console.log('ratios, Callbox to ws: median of rounds (min to max)')
for (const [title, order] of workloads) {
  const ratios: { cpu: number; rate: number; line: string }[] = []
  for (let round = -1; round < rounds; round += 1) {
    const one = await measure(callbox, order)
    const other = await measure(ws, order)
    // The first round warms up.
    if (round < 0) continue
    ratios.push({
      cpu: (one.serverUs + one.clientUs) / (other.serverUs + other.clientUs),
      rate: one.rate / other.rate,
      line: [one, other]
        .map(
          ({ rate, serverUs, clientUs }) =>
            `${Math.round(rate)}/s ${serverUs.toFixed(2)}+${clientUs.toFixed(2)} us`,
        )
        .join(' against '),
    })
  }
  const cpu = spread(ratios.map((one) => one.cpu))
  const rate = spread(ratios.map((one) => one.rate))
  console.log(`${title}: CPU ${cpu}, rate ${rate}; last ${ratios.at(-1)!.line}`)
}
callbox.server.stop()
callbox.client.stop()
ws.server.stop()
ws.client.stop()

async function bytesEach(name: string): Promise<number> {
  const server = new End(name)
  const client = new End(name)
  const port = await server.order<number>({ do: 'serve' })
  // The first ones compile the code.
  await client.order({ do: 'idle', port, count: 50 })
  const before = await server.order<number>({ do: 'rss' })
  await client.order({ do: 'idle', port, count: idle })
  const after = await server.order<number>({ do: 'rss' })
  server.stop()
  client.stop()
  return (after - before) / idle
}

if (idle > 0) {
  const pairs: { own: number; other: number }[] = []
  for (let round = 0; round < Math.min(rounds, 3); round += 1)
    pairs.push({ own: await bytesEach('callbox'), other: await bytesEach('ws') })
  const kib = (which: 'own' | 'other'): string =>
    pairs.map((pair) => (pair[which] / 1024).toFixed(1)).join(', ')
  console.log(
    `${idle} idle connections: RSS of the server ` +
      `${spread(pairs.map(({ own, other }) => own / other))}; ` +
      `${kib('own')} against ${kib('other')} KiB each`,
  )
}
