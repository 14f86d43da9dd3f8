// A server and its clients over real sockets, with a bad network between them.
//   in  -> the name of a transport
//   out -> clients whose next connection has whatever fault a test wants

import { createClient, type Client } from '@callbox/client'
import type { LimitsPreset } from '@callbox/core'
import { clockOf } from '@callbox/core/internal'
import type { Server } from '@callbox/server'
import { createFaultProxy, type FaultProxy, type LineShapes } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { unhurried } from '../unhurried.ts'
import { serverOf, world as contract } from './world.ts'

const host = '127.0.0.1'
/** Nobody waits long for a connection here, and no conversation comes to its end in between. */
const patient = { ...unhurried, reconnectMs: 1, maxReconnectMs: 20, callTimeoutMs: 120_000 }

export type TransportName = 'tcp' | 'ws'

/** A server behind a bad network, and what ran in it. */
export interface Lane {
  readonly server: Server
  readonly proxy: FaultProxy
  readonly ran: string[]
  /** What the first connection from now on is like. */
  next: LineShapes | undefined
  connect(): Client<{ world: typeof contract }>
}

const closers: (() => Promise<unknown>)[] = []

export async function closeLanes(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

export async function openLane(
  name: TransportName,
  preset: LimitsPreset = 'internet',
): Promise<Lane> {
  const limits = { ...patient, preset }
  const ran: string[] = []
  const server = serverOf(clockOf(globalThis), ran, undefined, { server: { limits } })
  const listener = name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 })
  const { port } = await server.listen(listener)
  closers.push(() => server.close({ graceMs: 0 }))
  const lane: { next: LineShapes | undefined } = { next: undefined }
  const proxy = await createFaultProxy({
    target: { host, port },
    shapesOf: () => {
      const shapes = lane.next
      lane.next = undefined
      return shapes
    },
  })
  closers.push(() => proxy.close())
  const target = proxy.port
  return Object.assign(lane, {
    server,
    proxy,
    ran,
    connect: () => {
      const transport = name === 'tcp' ? tcp({ host, port: target }) : ws(`ws://${host}:${target}/`)
      const client = createClient({ world: contract }, transport, { limits })
      client.handle(contract, {
        confirm: (text) => {
          ran.push(`confirm ${text}`)
          return text
        },
        tell: (text) => void ran.push(`tell ${text}`),
      })
      return client
    },
  })
}
