// A server with strangers before it: what the tests of abuse and threats share.
//   in  -> limits, handlers, a clock
//   out -> a world: connections of raw peers; that one was cut; that others are served

import { contract, unary, type Hello, type Limits, type Service } from '@callbox/core'
import type { Clock, Report } from '@callbox/core/internal'
import { createServer, implement, MetricsRegistry, silent, type Server } from '@callbox/server'
import { goAwayOf, RawPeer, rawRequest, type RawFrame } from '@callbox/testing/node'
import { tcp } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import * as T from 'typebox'
import { afterEach, expect } from 'vitest'
import { conf, handlers } from '@callbox/testing/conformance'
import { unhurried } from '../unhurried.ts'

export const hoard = contract('hoard', { hold: unary({ input: T.Unknown() }) })
export const host = '127.0.0.1'
export const type = {
  hello: 0x01,
  welcome: 0x02,
  ping: 0x03,
  pong: 0x04,
  goAway: 0x06,
  batch: 0x0a,
  request: 0x10,
  data: 0x11,
  end: 0x12,
  error: 0x13,
  cancel: 0x14,
  credit: 0x15,
} as const
export const code = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unauthenticated: 16,
  flowControl: 34,
  protocol: 35,
} as const
/** Error flag: the handler did not run. */
export const notProcessed = 1

const open: (Server | RawPeer)[] = []

/** Ends whatever `serve` and its worlds have opened. Call it once, at the top of a file. */
export function cleanUp(): void {
  afterEach(async () => {
    for (const each of open.splice(0).toReversed())
      await (each instanceof RawPeer ? each.destroy() : each.close({ graceMs: 0 }))
  })
}

export type Binding = 'tcp' | 'ws'

export interface WorldOptions {
  readonly services?: readonly Service<never>[]
  readonly authenticate?: (hello: Hello) => void | Promise<void>
  readonly logger?: Report
  readonly clock?: Clock
}

export interface World {
  readonly server: Server
  readonly metrics: MetricsRegistry
  readonly port: number
  /** A raw peer that has said nothing so far. */
  stranger(): Promise<RawPeer>
  /** A raw peer that was welcomed. */
  connect(): Promise<RawPeer>
}

export async function serve(
  name: Binding,
  limits: Partial<Limits> = {},
  options: WorldOptions = {},
): Promise<World> {
  const metrics = new MetricsRegistry()
  const never = new Promise<undefined>(() => undefined)
  const own = [implement(conf, handlers()), implement(hoard, { hold: () => never })]
  const server = createServer({
    services: [...own, ...(options.services ?? [])],
    // No handler here takes a context.
    authenticate: (options.authenticate ?? (() => undefined)) as () => never,
    logger: options.logger ?? silent,
    clock: options.clock,
    metrics,
    // A link that is cut ends its session: nothing is to outlive the attack.
    limits: { ...unhurried, sessionGraceMs: 0, ...limits },
  })
  open.push(server)
  const { port } = await server.listen(
    name === 'tcp' ? tcp({ host, port: 0 }) : ws({ host, port: 0 }),
  )
  const stranger = async (): Promise<RawPeer> => {
    const peer = await RawPeer.connect({ host, port, ws: name === 'ws' })
    open.push(peer)
    return peer
  }
  const connect = async (): Promise<RawPeer> => {
    const peer = await stranger()
    await peer.handshake()
    return peer
  }
  return { server, metrics, port, stranger, connect }
}

/** Another connection is served as if nothing had happened. */
export async function isServed({ connect }: World): Promise<void> {
  const peer = await connect()
  peer.sendFrames(rawRequest({ id: 1, method: 'conf.nothing' }))
  expect((await peer.nextOf(type.data)).id).toBe(1)
  await peer.destroy()
}

/** GOAWAY with this code and reason, the end, and nothing is left of the connection. */
export async function isCut(
  world: World,
  peer: RawPeer,
  number: number,
  reason: string,
): Promise<void> {
  expect(goAwayOf(await peer.nextOf(type.goAway))).toMatchObject({
    code: number,
    map: { reason: expect.stringContaining(reason) },
  })
  // Over WebSocket the end waits for the peer's close frame, a second at most.
  if (peer.http !== '') {
    expect((await peer.nextControl()).opcode).toBe(8)
    peer.socket.end()
  }
  await peer.closed
  await peer.destroy()
  await expect.poll(() => world.server.inspect().connections).toEqual([])
  await isServed(world)
}

/** The connection lives: it answers a call with this id. */
export async function lives(peer: RawPeer, id: number): Promise<void> {
  peer.sendFrames(rawRequest({ id, method: 'conf.nothing' }))
  for (;;) {
    const frame: RawFrame = await peer.nextOf(type.data)
    if (frame.id === id) return
  }
}
