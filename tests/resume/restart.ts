// A server that is killed, and its successor that knows nothing.
//   in  -> a world
//   out -> the same world with another server behind the same transport

import type { Server } from '@callbox/server'
import { serverOf, type World, type WorldOptions } from './world.ts'

/** Nothing that the server would say arrives, and everything that it knew is gone. */
export async function kill({ transport, server, until }: World): Promise<void> {
  transport.down = true
  for (const line of transport.lines) line.cut()
  await until(server.close({ graceMs: 0 }))
}

/** `transport` can be reached again, at a new server. */
export async function restart(world: World, options: WorldOptions = {}): Promise<Server> {
  await kill(world)
  const server = serverOf(world.clock, world.ran, undefined, options)
  await server.listen(world.transport)
  world.transport.down = false
  return server
}
