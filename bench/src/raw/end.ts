// One end of one WebSocket contender, in a process of its own, driven over IPC.
//   in  -> `serve`, or `connect` and `run`
//   out -> a port; figures of this process alone

import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { acceptWebSocket, connectWebSocket } from '@callbox/transport-ws/raw'
import { WebSocket, WebSocketServer } from 'ws'

/** What both contenders do alike: bytes out, bytes in. */
interface Socket {
  /** False: wait for `onDrain`. */
  send(bytes: Uint8Array): boolean
  onMessage(bytes: Uint8Array): void
  onDrain(): void
}

export type Order =
  | { readonly do: 'serve' }
  | { readonly do: 'connect'; readonly port: number }
  | { readonly do: 'cpu' }
  | { readonly do: 'rss' }
  | { readonly do: 'idle'; readonly port: number; readonly count: number }
  | { readonly do: 'echo'; readonly bytes: number; readonly inFlight: number; readonly ms: number }
  | { readonly do: 'stream'; readonly bytes: number; readonly ms: number }

export interface Figures {
  readonly messages: number
  readonly ms: number
  /** User and system time of this process, in microseconds. */
  readonly cpuUs: number
}

const maxMessage = 64 * 1024 * 1024
const highWater = 256 * 1024
const contender = process.argv[2] === 'ws' ? npmWs() : callbox()
let socket: Socket | undefined

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
      return contender.serve(serve)
    case 'connect':
      socket = await contender.connect(order.port)
      return undefined
    case 'cpu':
      return cpuUs()
    case 'rss':
      global.gc?.()
      return process.memoryUsage().rss
    case 'idle':
      for (let index = 0; index < order.count; index += 1) await contender.connect(order.port)
      return undefined
    case 'echo':
      return echo(order.bytes, order.inFlight, order.ms)
    case 'stream':
      return stream(order.bytes, order.ms)
  }
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** The first byte says what to do: 0 sends it back, 1 counts it, 2 asks for the count and clears it. */
function serve(peer: Socket): void {
  let count = 0
  peer.onMessage = (bytes) => {
    if (bytes[0] === 0) peer.send(bytes)
    else if (bytes[0] === 1) count += 1
    else {
      peer.send(Buffer.from(String(count)))
      count = 0
    }
  }
}

function echo(bytes: number, inFlight: number, ms: number): Promise<Figures> {
  const open = socket!
  const message = Buffer.alloc(bytes)
  const started = performance.now()
  const cpu = cpuUs()
  let messages = 0
  let out = inFlight
  return new Promise((resolve) => {
    open.onMessage = (answer) => {
      if (answer.length !== bytes) throw new Error('wrong answer')
      messages += 1
      // The clock is looked at now and then: it costs as much as a small message.
      if ((messages & 15) !== 0 || performance.now() - started < ms) return void open.send(message)
      out -= 1
      open.onMessage = () => {
        messages += 1
        out -= 1
        if (out === 0) done()
      }
      if (out === 0) done()
    }
    const done = (): void =>
      resolve({ messages, ms: performance.now() - started, cpuUs: cpuUs() - cpu })
    for (let index = 0; index < inFlight; index += 1) open.send(message)
  })
}

/** For so long, then until the other side says how many have come. */
async function stream(bytes: number, ms: number): Promise<Figures> {
  const open = socket!
  const message = Buffer.alloc(bytes, 1)
  const started = performance.now()
  const cpu = cpuUs()
  let sent = 0
  await new Promise<void>((resolve) => {
    open.onDrain = () => {
      while ((sent & 1_023) !== 0 || performance.now() - started < ms) {
        sent += 1
        if (!open.send(message)) return
      }
      open.onDrain = () => undefined
      resolve()
    }
    open.onDrain()
  })
  const answer = new Promise<number>((resolve) => {
    open.onMessage = (text) => resolve(Number(Buffer.from(text).toString()))
  })
  open.send(Buffer.of(2))
  const got = await answer
  if (got !== sent) throw new Error(`${got} of ${sent} came`)
  return { messages: sent, ms: performance.now() - started, cpuUs: cpuUs() - cpu }
}

interface Contender {
  serve(use: (peer: Socket) => void): Promise<number>
  connect(port: number): Promise<Socket>
}

function callbox(): Contender {
  const wrap = (ws: import('@callbox/transport-ws/raw').RawWebSocket): Socket => {
    const peer: Socket = {
      send: (bytes) => ws.send(bytes),
      onMessage: () => undefined,
      onDrain: () => undefined,
    }
    ws.open({
      onMessage: (message) => peer.onMessage(message as Uint8Array),
      onDrain: () => peer.onDrain(),
      onClose: () => undefined,
    })
    return peer
  }
  return {
    serve: (use) => {
      const server = http.createServer()
      server.on('upgrade', (request, raw, head) => {
        const ws = acceptWebSocket(request, raw, head, { maxMessage })
        if (ws !== undefined) use(wrap(ws))
      })
      return listening(server)
    },
    connect: async (port) =>
      wrap(await connectWebSocket(`ws://127.0.0.1:${port}/`, { maxMessage })),
  }
}

/** As its documentation sets it up, compression off on both sides. */
function npmWs(): Contender {
  const wrap = (ws: WebSocket): Socket => {
    const peer: Socket = {
      send: (bytes) => {
        if (ws.bufferedAmount < highWater) {
          ws.send(bytes)
          return true
        }
        ws.send(bytes, () => peer.onDrain())
        return false
      },
      onMessage: () => undefined,
      onDrain: () => undefined,
    }
    ws.on('message', (bytes: Buffer) => peer.onMessage(bytes))
    ws.on('error', () => undefined)
    return peer
  }
  const options = { perMessageDeflate: false, maxPayload: maxMessage }
  return {
    serve: (use) => {
      const server = http.createServer()
      new WebSocketServer({ server, ...options }).on('connection', (ws) => use(wrap(ws)))
      return listening(server)
    },
    connect: (port) => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/`, options)
      return new Promise((resolve, reject) => {
        ws.on('open', () => resolve(wrap(ws)))
        ws.on('error', reject)
      })
    },
  }
}

function listening(server: http.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
