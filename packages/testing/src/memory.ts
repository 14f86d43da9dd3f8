// A transport inside one process: tests of handlers need no socket.
//   in  -> `server.listen(transport)`, `createClient(contracts, transport)`
//   out -> links in memory

import type { Listener, ListenOptions, Transport } from '@callbox/core/internal'
import { createPair } from './pair.ts'

/** One address in memory: who listens on it and who dials it are given the same value. */
export function memory(): Required<Transport> {
  let listening: ListenOptions | undefined
  let open = 0
  return {
    name: 'memory',
    target: 'memory',
    dial(options) {
      if (options.signal.aborted) return Promise.reject(new Error('aborted'))
      if (listening === undefined)
        return Promise.reject(new Error('nobody listens on this memory()'))
      if (open >= listening.maxConnections) return Promise.reject(new Error('over maxConnections'))
      const [near, far] = createPair({
        maxFrame: options.maxFrame,
        onClose: () => {
          open -= 1
        },
      })
      open += 1
      listening.onLink(far)
      return Promise.resolve(near)
    },
    listen(options): Promise<Listener> {
      if (listening !== undefined) return Promise.reject(new Error('this memory() is in use'))
      listening = options
      return Promise.resolve({
        address: 'memory',
        port: 0,
        close: () => {
          if (listening === options) listening = undefined
          return Promise.resolve()
        },
      })
    },
  }
}
