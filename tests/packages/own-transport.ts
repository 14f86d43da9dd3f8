// A transport over MessagePort, between the threads of one process. Each link has a MessageChannel
// of its own; `endpoint` only carries the port at its far end.
//   in  -> a port that both threads have: `parentPort` in a worker, the `Worker` in its parent
//   out -> a `Transport`, for `server.listen(...)` in one thread and `createClient(...)` in the other

import type { Link, LinkClose, LinkHandler, Transport } from '@callbox/core/internal'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'

export function messagePort(endpoint: MessagePort | Worker): Transport {
  return {
    name: 'thread',
    target: 'thread',
    async dial({ signal, maxFrame }) {
      if (signal.aborted) throw new Error('aborted')
      const { port1, port2 } = new MessageChannel()
      endpoint.postMessage(port2, [port2])
      return portLink(port1, maxFrame)
    },
    async listen(options) {
      let open = 0
      const accept = (port: MessagePort): void => {
        if (open >= options.maxConnections) return port.close()
        open += 1
        port.on('close', () => (open -= 1))
        options.onLink(portLink(port, options.maxFrame))
      }
      endpoint.on('message', accept)
      return { address: 'thread', port: 0, close: async () => void endpoint.off('message', accept) }
    },
  }
}

function portLink(port: MessagePort, maxFrame: number): Link {
  let handler: LinkHandler | undefined
  let state: 'open' | 'closing' | 'closed' = 'open'
  let paused = true
  let written: Uint8Array<ArrayBuffer>[] = []
  // What came and was not delivered: frames, and the end of all frames.
  const inbox: (Uint8Array | 'end')[] = []
  let last: LinkClose = { clean: false, reason: 'the other thread has gone' }

  const end = (close: LinkClose): void => {
    if (state === 'closed') return
    state = 'closed'
    last = close
    port.close()
    handler?.onClose(close)
  }
  const deliver = (): void => {
    try {
      while (!paused && state !== 'closed' && inbox.length > 0) {
        const message = inbox.shift()!
        if (message === 'end') return end({ clean: true, reason: '' })
        if (message.length > maxFrame) throw new Error('frame over maxFrame')
        handler?.onFrame(message, 0, message.length)
        // A port has no backpressure: the reader says how much it has taken.
        port.postMessage(message.length)
      }
    } catch (error) {
      end({ clean: false, reason: 'a frame was refused', error })
    }
  }
  port.on('message', (message: Uint8Array | 'end' | number) => {
    if (typeof message !== 'number') {
      inbox.push(message)
      return deliver()
    }
    link.unsentBytes -= message
    if (link.unsentBytes === 0 && state === 'open') handler?.onDrain()
  })
  const gone = new Promise<void>((resolve) => port.on('close', () => resolve(end(last))))

  const link = {
    peer: { transport: 'thread' },
    unsentBytes: 0,
    open(owner: LinkHandler): void {
      handler = owner
      if (state === 'closed') owner.onClose(last)
      else link.resume()
    },
    write(buffer: Uint8Array, start: number, stop: number): void {
      if (state !== 'open') return
      written.push(new Uint8Array(buffer.subarray(start, stop)))
      link.unsentBytes += stop - start
    },
    flush(): void {
      for (const frame of written) port.postMessage(frame, [frame.buffer])
      written = []
    },
    pause: () => void (paused = true),
    resume(): void {
      paused = false
      deliver()
    },
    async close(): Promise<void> {
      if (state === 'open') {
        link.flush()
        state = 'closing'
        last = { clean: true, reason: '' }
        port.postMessage('end')
      }
      // A thread that hangs must not hold up this one.
      const timer = setTimeout(() => link.abort('close timeout'), 1_000)
      await gone
      clearTimeout(timer)
    },
    abort: (reason = '') => end({ clean: false, reason }),
  }
  return link
}
