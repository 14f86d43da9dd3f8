// The floor under WebSocket: npm ws with msgpackr, as its documentation sets it up.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import type { Contender } from '../contender.ts'
import { message } from '../workloads.ts'
import { answer, HandWritten } from './frames.ts'

export const floorWs: Contender = {
  name: 'floor-ws',
  async serve() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      socket.on('message', (bytes: Buffer) => {
        void answer(bytes, (frame) => {
          if (socket.bufferedAmount <= 65_536) return socket.send(frame)
          return new Promise((resolve) => socket.send(frame, () => resolve()))
        })
      })
    })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  async connect(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await once(socket, 'open')
    const close = async (): Promise<void> => {
      socket.close()
      await once(socket, 'close')
    }
    const connection = new HandWritten((frame) => socket.send(frame), close, message)
    socket.on('message', (bytes: Buffer) => connection.receive(bytes))
    return connection
  },
}
