// What every contender offers: the same two operations, over its own wire.

import type { Message } from './workloads.ts'

export interface Contender {
  readonly name: string
  /** Serves; answers the port. */
  serve(): Promise<number>
  connect(port: number): Promise<Connection>
}

export interface Connection {
  echo(message: Message): Promise<Message>
  /** Reads a stream of so many messages to its end; answers how many came. */
  stream(items: number): Promise<number>
  close(): Promise<void>
}
