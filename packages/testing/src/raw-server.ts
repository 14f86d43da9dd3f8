// The raw peer as a server: accepts, and leaves the rest to a script.
//   in  -> connections on a port of 127.0.0.1
//   out -> `RawPeer`s

import * as net from 'node:net'
import { RawPeer } from './raw-peer.ts'

export class RawServer {
  readonly port: number
  private readonly server: net.Server
  private readonly peers: RawPeer[]
  private readonly onPeer: (listener: () => void) => void
  private taken = 0

  private constructor(
    server: net.Server,
    peers: RawPeer[],
    onPeer: (listener: () => void) => void,
  ) {
    this.server = server
    this.peers = peers
    this.onPeer = onPeer
    const bound = server.address()
    this.port = typeof bound === 'object' && bound !== null ? bound.port : 0
  }

  /** Listens on a free port. With `ws`, every connection is first upgraded to a WebSocket. */
  static async listen(options: { readonly ws?: boolean } = {}): Promise<RawServer> {
    const peers: RawPeer[] = []
    let listener: () => void = () => undefined
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      peers.push(new RawPeer(socket, options.ws === true ? 'server' : 'stream'))
      listener()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return new RawServer(server, peers, (next) => {
      listener = next
    })
  }

  /** The next connection that nobody has taken yet. One caller at a time. */
  accept(): Promise<RawPeer> {
    return new Promise((resolve) => {
      const take = (): void => {
        const peer = this.peers[this.taken]
        if (peer === undefined) return
        this.taken += 1
        this.onPeer(() => undefined)
        resolve(peer)
      }
      this.onPeer(take)
      take()
    })
  }

  /** Stops accepting and destroys every connection. */
  async close(): Promise<void> {
    const stopped = new Promise((resolve) => this.server.close(resolve))
    await Promise.all(this.peers.map((peer) => peer.destroy()))
    await stopped
  }
}
