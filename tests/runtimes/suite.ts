// What must hold on every runtime: the shared transport suite over `ws()`, and every kind of call
// between a server and a client. Run by scripts/runtimes.mjs, on Node, Bun and Deno.
//   in  -> (nothing)
//   out -> a line a case; the last is `N passed, N failed`; exit code 1 if one failed

import { createClient } from '@callbox/client'
import { bidi, Bytes, clientStream, contract, event, serverStream, unary } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { transportSuite, type TransportKit } from '@callbox/testing'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'

const host = '127.0.0.1'
// Only our own RFC 6455, on Node, can stop reading.
const native = 'Bun' in globalThis || 'Deno' in globalThis
const capabilities = { refusesDial: true, exclusiveAddress: false, ports: true, holdsBack: true }
const kits: Readonly<Record<string, TransportKit>> = {
  ws: {
    capabilities: { ...capabilities, holdsBack: !native },
    server: () => ws({ host, port: 0 }),
    client: ({ port }) => ws(`ws://${host}:${port}/`),
  },
  tcp: {
    capabilities,
    server: () => tcp({ host, port: 0 }),
    client: ({ port }) => tcp({ host, port }),
  },
}

const all = contract(
  'all',
  {
    echo: unary({ input: T.Object({ text: T.String(), bytes: Bytes() }), output: Bytes() }),
    count: serverStream({ input: T.Integer(), output: T.Integer() }),
    sum: clientStream({ input: T.Integer(), output: T.Integer() }),
    double: bidi({ input: T.Integer(), output: T.Integer() }),
    note: event({ input: T.String() }),
    ask: unary({ output: T.String() }),
  },
  { client: { confirm: unary({ input: T.String(), output: T.String() }) } },
)

async function everyKindOfCall(kit: TransportKit): Promise<void> {
  const noted: string[] = []
  const service = implement(all, {
    echo: ({ bytes }) => bytes,
    count: async function* (to) {
      for (let n = 1; n <= to; n += 1) yield n
    },
    sum: async (_, { input }) => {
      let sum = 0
      for await (const n of input) sum += n
      return sum
    },
    double: async function* (_, { input }) {
      for await (const n of input) yield n * 2
    },
    note: (text) => void noted.push(text),
    ask: (_, { client }) => client.confirm('sure'),
  })
  const server = createServer({ services: [service], logger: silent })
  const listening = await server.listen(kit.server())
  const client = createClient({ all }, kit.client(listening))
  client.handle(all, { confirm: (text) => `${text}!` })
  const bytes = new Uint8Array(300_000).map((_, index) => index)
  const echoed = await client.all.echo({ text: 'grüße', bytes })
  equal(echoed.length, bytes.length, 'bytes')
  equal(echoed[299_999], bytes[299_999], 'the last byte')
  const counted: number[] = []
  for await (const n of client.all.count(1_000)) counted.push(n)
  equal(counted.length, 1_000, 'items')
  equal(await client.all.sum(from([1, 2, 3])), 6, 'sum')
  const duplex = client.all.double()
  await duplex.send(21)
  equal((await duplex.next()).value, 42, 'double')
  duplex.end()
  await client.all.note('noted')
  equal(await client.all.ask(), 'sure!', 'the server asks')
  equal(noted.join(), 'noted', 'the event')
  await client.close()
  await server.close()
}

async function* from(items: readonly number[]): AsyncGenerator<number> {
  for (const item of items) yield item
}

function equal<T>(actual: T, expected: T, what: string): void {
  if (!Object.is(actual, expected))
    throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`)
}

let [passed, failed] = [0, 0]
for (const [name, kit] of Object.entries(kits)) {
  const cases = [
    ...transportSuite(kit),
    { title: 'every kind of call, both ways', run: () => everyKindOfCall(kit) },
  ]
  for (const { title, run } of cases) {
    try {
      await run()
      passed += 1
    } catch (error) {
      failed += 1
      console.log(`FAILED ${name}: ${title}: ${error instanceof Error ? error.message : 'error'}`)
    }
  }
}
console.log(`${passed} passed, ${failed} failed`)
// A runtime that still has something open would not end by itself: that is a failure, too.
const late = setTimeout(() => {
  console.log('FAILED something is still open')
  process.exit(1)
}, 10_000)
late.unref()
process.exitCode = failed === 0 ? 0 : 1
