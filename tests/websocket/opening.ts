// A connection while its opening handshake goes on: bytes are kept until somebody can make sense of them.
//   in  -> bytes of the tested end
//   out -> what is waited for, or a Fault; then everything to a conversation

import type { Conversation, Line } from './conversation.ts'
import { Fault } from './inbox.ts'

export class Opening {
  bytes = Buffer.alloc(0)
  ended = false
  private expired = false
  private conversation: Conversation | undefined
  private wake: () => void = () => undefined

  constructor({ stream }: Line) {
    stream.on('data', (chunk: Buffer) => {
      if (this.conversation !== undefined) return this.conversation.push(chunk)
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.wake()
    })
    const end = (): void => {
      this.ended = true
      this.conversation?.end()
      this.wake()
    }
    // A reset is an end as well: what came before it has been read.
    stream.on('end', end).on('close', end).on('error', end)
  }

  /** Time is up. */
  expire(): void {
    this.expired = true
    this.conversation?.expire()
    this.wake()
  }

  /** From here on the conversation gets everything. */
  hand(conversation: Conversation, rest: Buffer): void {
    this.conversation = conversation
    if (rest.length > 0) conversation.push(rest)
    if (this.ended) conversation.end()
  }

  async until<T>(get: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const got = get()
      if (got !== undefined) return got
      if (this.ended) throw new Fault(`the connection ended before the ${what}`)
      if (this.expired) throw new Fault(`there was no ${what}`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}
