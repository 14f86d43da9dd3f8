// What a hand-written protocol would do: an id, a kind, msgpack; one promise per call.

import { pack, unpack } from 'msgpackr'
import type { Connection } from '../contender.ts'
import type { Message } from '../workloads.ts'

export type Send = (frame: Uint8Array) => void
const echo = 0
const stream = 1
const end = 2

function frame(kind: number, id: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + payload.length)
  bytes[0] = kind
  bytes.writeUInt32BE(id, 1)
  bytes.set(payload, 5)
  return bytes
}

/** Answers one frame. `send` resolves when there is room for more. */
export async function answer(
  bytes: Buffer,
  send: (frame: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const id = bytes.readUInt32BE(1)
  const value: unknown = unpack(bytes.subarray(5))
  if (bytes[0] === echo) return void send(frame(echo, id, pack(value)))
  const { items, item } = value as { items: number; item: Message }
  for (let n = 0; n < items; n += 1) {
    const full = send(frame(stream, id, pack(item)))
    if (full !== undefined) await full
  }
  await send(frame(end, id, pack(null)))
}

export class HandWritten implements Connection {
  private readonly send: Send
  private readonly end: () => Promise<void>
  private readonly item: Message
  private nextId = 1
  private readonly pending = new Map<number, (value: Message) => void>()
  private readonly streams = new Map<number, { count: number; done: (count: number) => void }>()

  constructor(send: Send, close: () => Promise<void>, item: Message) {
    this.send = send
    this.end = close
    this.item = item
  }

  receive(bytes: Buffer): void {
    const id = bytes.readUInt32BE(1)
    const value = unpack(bytes.subarray(5)) as Message
    if (bytes[0] === echo) {
      this.pending.get(id)?.(value)
      this.pending.delete(id)
      return
    }
    const open = this.streams.get(id)!
    if (bytes[0] === end) {
      this.streams.delete(id)
      open.done(open.count)
    } else open.count += 1
  }

  echo(value: Message): Promise<Message> {
    return new Promise((resolve) => {
      const id = this.nextId++
      this.pending.set(id, resolve)
      this.send(frame(echo, id, pack(value)))
    })
  }

  stream(items: number): Promise<number> {
    return new Promise((done) => {
      const id = this.nextId++
      this.streams.set(id, { count: 0, done })
      this.send(frame(stream, id, pack({ items, item: this.item })))
    })
  }

  close(): Promise<void> {
    return this.end()
  }
}
