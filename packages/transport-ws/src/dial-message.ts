// Connects with a WebSocket that is not ours.
//   in  -> a function that makes one, a signal
//   out -> a link, or that there is none: such a WebSocket does not say why

import type { DialOptions, Peer } from '@callbox/core/internal'
import { MessageLink, type WebSocketLike } from './message-link.ts'

/** Of `close` events; what else is in them is not looked at. */
interface CloseLike {
  readonly code?: number
}

export function dialMessages(
  make: () => WebSocketLike,
  peer: Peer,
  options: DialOptions,
): Promise<MessageLink> {
  return new Promise((resolve, reject) => {
    const { signal, maxFrame } = options
    const reason = (): Error =>
      signal.reason instanceof Error ? signal.reason : new Error('aborted')
    if (signal.aborted) return reject(reason())
    const socket = make()
    socket.binaryType = 'arraybuffer'
    const leave = (): void => signal.removeEventListener('abort', onAbort)
    const onAbort = (): void => {
      leave()
      socket.onopen = socket.onclose = null
      // Some report a connection that is given up as an error.
      socket.onerror = () => undefined
      socket.close()
      reject(reason())
    }
    const onOpen = (): void => {
      leave()
      resolve(new MessageLink({ socket, peer, maxFrame, role: 'client' }))
    }
    signal.addEventListener('abort', onAbort)
    socket.onerror = () => undefined
    socket.onclose = ({ code = 1006 }: CloseLike) => {
      leave()
      reject(new Error(`could not connect (close code ${code})`))
    }
    if (socket.readyState === 1) onOpen()
    else socket.onopen = onOpen
  })
}
