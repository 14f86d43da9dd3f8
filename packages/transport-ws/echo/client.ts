// WebSocket clients that send every message back, for test suites.
//   in  -> options of the command line
//   out -> one line for each connection that could not be made; ends when all are closed

import { deflate } from '@callbox/transport-ws/deflate'
import { connectWebSocket, type RawWebSocket } from '@callbox/transport-ws/raw'
import { defaultMaxMessage, largestMessage, numberOf, quit, readArguments } from './arguments.ts'

const help = `Connects and sends every WebSocket message back, until the server closes.

  --url URL             where to connect
  --base URL            instead: one connection each to URL/N, from --from to --to
  --from N              (default 1)
  --to N
  --parallel N          connections at a time, with --base (default 8)
  --max-message BYTES   largest message (default ${defaultMaxMessage})
  --subprotocol NAME    a subprotocol to offer; may be given several times
  --no-deflate          do not offer permessage-deflate
  --help                this text

With --url the exit code is 1 if there was no connection. With --base a server that refuses is a
result like any other.
`

const values = readArguments(
  {
    'url': { type: 'string' },
    'base': { type: 'string' },
    'from': { type: 'string' },
    'to': { type: 'string' },
    'parallel': { type: 'string' },
    'max-message': { type: 'string' },
    'subprotocol': { type: 'string', multiple: true },
    'no-deflate': { type: 'boolean' },
  },
  help,
)
const maxMessage =
  numberOf('max-message', values['max-message'], 0, largestMessage) ?? defaultMaxMessage
const options = {
  maxMessage,
  maxFragments: Infinity,
  maxUnsent: Infinity,
  closeTimeoutMs: 2_000,
  subprotocols: values.subprotocol ?? [],
  extensions: values['no-deflate'] === true ? [] : [deflate()],
}
const urls = urlsOf()
const open = new Set<RawWebSocket>()
let stopping = false
let failures = 0

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())
const parallel = numberOf('parallel', values.parallel, 1, 1_000) ?? 8
await Promise.all(Array.from({ length: Math.min(parallel, urls.length) }, work))
process.exit(values.url !== undefined && failures > 0 ? 1 : 0)

function urlsOf(): string[] {
  const { url, base } = values
  if ((url === undefined) === (base === undefined)) return quit(`--url or --base\n\n${help}`)
  if (url !== undefined) return [url]
  const from = numberOf('from', values.from, 0, 1_000_000) ?? 1
  const to = numberOf('to', values.to, from, 1_000_000) ?? quit(`--base needs --to\n\n${help}`)
  const root = base!.replace(/\/$/, '')
  return Array.from({ length: to - from + 1 }, (_, index) => `${root}/${from + index}`)
}

/** Takes URLs, one after the other. */
async function work(): Promise<void> {
  for (let url = urls.shift(); url !== undefined && !stopping; url = urls.shift()) {
    try {
      await echo(url)
    } catch (error) {
      failures += 1
      process.stderr.write(`${url}: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

async function echo(url: string): Promise<void> {
  const ws = await connectWebSocket(url, options)
  open.add(ws)
  await new Promise<void>((resolve) => {
    ws.open({
      onMessage: (message) => {
        if (!ws.send(message)) ws.pause()
      },
      onDrain: () => ws.resume(),
      onClose: () => {
        open.delete(ws)
        resolve()
      },
    })
  })
}

async function stop(): Promise<void> {
  if (stopping) process.exit(1)
  stopping = true
  await Promise.all([...open].map((ws) => ws.close(1001)))
}
