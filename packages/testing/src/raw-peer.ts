// A peer that sends any bytes at any time and keeps what comes back, in either role.
//   in  -> bytes, frames, and where to send them
//   out -> the frames and the end that the other side gave
// Shares no code with Callbox: what it says about the wire, it says on its own.

import * as net from 'node:net'
import * as tls from 'node:tls'
import { partsOf, prefixed, rawHello, type RawFrame } from './raw-frames.ts'
import {
  readWebSocketFrame,
  upgradeAnswer,
  upgradeRequest,
  webSocketFrame,
  type RawWebSocketFrame,
} from './raw-websocket.ts'

/** Where to connect. With `ws`, an upgrade to a WebSocket is done first. */
export interface RawAddress {
  readonly host?: string
  readonly port?: number
  /** A unix socket. */
  readonly path?: string
  readonly tls?: tls.ConnectionOptions
  readonly ws?:
    | boolean
    | { readonly path?: string; readonly headers?: Readonly<Record<string, string | undefined>> }
}

type Binding = 'stream' | 'client' | 'server'

export class RawPeer {
  /** For what no method here can do. */
  readonly socket: net.Socket
  /** Every frame that came, in order, without prefix or WebSocket header. */
  readonly frames: Uint8Array[] = []
  /** WebSocket frames that carried no frame: text, continuation, control. */
  readonly controls: RawWebSocketFrame[] = []
  /** The answer of an HTTP server, head only. */
  http = ''
  /** Settles when the other side has ended or reset the connection, after its last frame. */
  readonly closed: Promise<void>
  private readonly binding: Binding
  private bytes: Buffer = Buffer.alloc(0)
  private upgrading: boolean
  private read = 0
  private gone = false
  private waiting: (() => void)[] = []

  constructor(socket: net.Socket, binding: Binding) {
    this.socket = socket
    this.binding = binding
    this.upgrading = binding !== 'stream'
    this.closed = new Promise((resolve) => {
      const leave = (): void => {
        this.gone = true
        this.wake()
        resolve()
      }
      socket.on('end', leave)
      socket.on('close', leave)
      // A reset is an end like any other here.
      socket.on('error', leave)
    })
    socket.on('data', (chunk: Buffer) => this.take(chunk))
  }

  /** Connects, with TLS and upgrade if asked for. Rejects if there is no connection. */
  static async connect(address: RawAddress): Promise<RawPeer> {
    const socket = await connected(address)
    if (address.ws === undefined || address.ws === false) return new RawPeer(socket, 'stream')
    const peer = new RawPeer(socket, 'client')
    const { path, headers } = address.ws === true ? {} : address.ws
    socket.write(upgradeRequest(`${address.host ?? '127.0.0.1'}:${address.port}`, path, headers))
    await peer.until(() => !peer.upgrading || peer.gone)
    return peer
  }

  /** Bytes as they are. */
  send(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Frames, each with its prefix or WebSocket header, in one write. */
  sendFrames(...frames: readonly Uint8Array[]): void {
    this.send(this.bytesOf(...frames))
  }

  /** What `sendFrames` would send. */
  bytesOf(...frames: readonly Uint8Array[]): Uint8Array {
    return Buffer.concat(frames.map((frame) => this.wrapped(frame)))
  }

  /** Whether the other side has ended or reset the connection. */
  get ended(): boolean {
    return this.gone
  }

  /** The next frame that nobody has asked for yet. Rejects once the connection has ended. */
  async next(): Promise<RawFrame> {
    await this.until(() => this.frames.length > this.read || this.gone)
    const frame = this.frames[this.read]
    if (frame === undefined) throw new Error('the connection has ended')
    this.read += 1
    return partsOf(frame)
  }

  /** The next frame of this type; what comes before it is skipped. */
  async nextOf(type: number): Promise<RawFrame> {
    for (;;) {
      const frame = await this.next()
      if (frame.type === type) return frame
    }
  }

  /** Sends HELLO and waits for WELCOME. Rejects for any other answer. */
  async handshake(map: Readonly<Record<string, unknown>> = {}): Promise<RawFrame> {
    this.sendFrames(rawHello(map))
    const frame = await this.next()
    if (frame.type !== 0x02)
      throw new Error(`frame 0x${frame.type.toString(16)} instead of WELCOME`)
    return frame
  }

  /** Settles with the next text, continuation or control frame of a WebSocket. */
  async nextControl(): Promise<RawWebSocketFrame> {
    await this.until(() => this.controls.length > 0 || this.gone)
    const frame = this.controls.shift()
    if (frame === undefined) throw new Error('the connection has ended')
    return frame
  }

  /** Ends this direction in order: a close frame on a WebSocket, then the end of the stream. */
  end(): void {
    if (this.binding !== 'stream') {
      const normal = Uint8Array.of(0x03, 0xe8)
      this.send(webSocketFrame(normal, { opcode: 8, masked: this.binding === 'client' }))
    }
    this.socket.end()
  }

  /** Ends the connection now. Settles when the socket is gone. */
  async destroy(): Promise<void> {
    if (this.socket.closed) return
    const gone = new Promise<void>((resolve) => this.socket.once('close', () => resolve()))
    this.socket.destroy()
    await gone
  }

  private wrapped(frame: Uint8Array): Uint8Array {
    if (this.binding === 'stream') return prefixed(frame)
    return webSocketFrame(frame, { masked: this.binding === 'client' })
  }

  private take(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk])
    if (this.upgrading) this.takeHead()
    if (!this.upgrading) {
      while (this.binding === 'stream' ? this.takePrefixed() : this.takeMessage());
    }
    this.wake()
  }

  private takeHead(): void {
    const end = this.bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    this.http = this.bytes.toString('latin1', 0, end + 4)
    this.bytes = this.bytes.subarray(end + 4)
    // A refusal is an answer too; what follows it is no WebSocket.
    if (this.binding === 'client' && !this.http.startsWith('HTTP/1.1 101'))
      return void this.socket.end()
    this.upgrading = false
    if (this.binding === 'server') this.socket.write(upgradeAnswer(this.http))
  }

  private takePrefixed(): boolean {
    if (this.bytes.length < 4) return false
    const end = 4 + this.bytes.readUInt32BE(0)
    if (this.bytes.length < end) return false
    this.frames.push(Uint8Array.from(this.bytes.subarray(4, end)))
    this.bytes = this.bytes.subarray(end)
    return true
  }

  private takeMessage(): boolean {
    const read = readWebSocketFrame(this.bytes)
    if (read === undefined) return false
    this.bytes = read.rest
    if (read.frame.opcode === 2 && read.frame.fin) this.frames.push(read.frame.payload)
    else this.controls.push(read.frame)
    return true
  }

  /** Settles when `met` holds; it is asked whenever something came, and at the end. */
  until(met: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const ask = (): void => {
        if (met()) resolve()
        else this.waiting.push(ask)
      }
      ask()
    })
  }

  /** Asks everybody who waits to look again. */
  private wake(): void {
    const { waiting } = this
    this.waiting = []
    for (const ask of waiting) ask()
  }
}

function connected(address: RawAddress): Promise<net.Socket> {
  const { host = '127.0.0.1', port = 0, path } = address
  const to = path === undefined ? { host, port } : { path }
  return new Promise((resolve, reject) => {
    const options = { ...to, allowHalfOpen: true, noDelay: true }
    const socket =
      address.tls === undefined ? net.connect(options) : tls.connect({ ...options, ...address.tls })
    socket.once('error', reject)
    socket.once(address.tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
