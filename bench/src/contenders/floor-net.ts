// The floor under TCP: node:net, u32 length, msgpackr, one write per turn.

import * as net from 'node:net'
import { once } from 'node:events'
import type { Contender } from '../contender.ts'
import { message } from '../workloads.ts'
import { answer, HandWritten } from './frames.ts'

/** Collects what one turn writes. */
function writer(socket: net.Socket): (frame: Uint8Array) => void {
  let chunks: Uint8Array[] = []
  return (frame) => {
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(frame.length)
    if (chunks.length === 0)
      process.nextTick(() => {
        const all = Buffer.concat(chunks)
        chunks = []
        socket.write(all)
      })
    chunks.push(length, frame)
  }
}

function reader(socket: net.Socket, onFrame: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      onFrame(bytes.subarray(at + 4, end))
      at = end
    }
    rest = bytes.subarray(at)
  })
}

export const floorNet: Contender = {
  name: 'floor-net',
  async serve() {
    const server = net.createServer({ noDelay: true }, (socket) => {
      const write = writer(socket)
      socket.on('error', () => undefined)
      reader(socket, (bytes) => {
        void answer(bytes, (frame) => {
          write(frame)
          return socket.writableLength > 65_536
            ? once(socket, 'drain').then(() => undefined)
            : undefined
        })
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as net.AddressInfo).port
  },
  async connect(port) {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const close = async (): Promise<void> => {
      socket.end()
      await once(socket, 'close')
    }
    const connection = new HandWritten(writer(socket), close, message)
    reader(socket, (bytes) => connection.receive(bytes))
    return connection
  },
}
