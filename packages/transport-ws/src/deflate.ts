// permessage-deflate (RFC 7692): `@callbox/transport-ws/deflate`.
//   in  -> whole messages
//   out -> their compressed form, and back, with a limit on what may come out
// The only file that compresses, and nothing else imports it: who wants it passes `deflate()` to
// `acceptWebSocket` or `connectWebSocket`. Secrets beside what an attacker chooses leak through the
// length of a compressed message (CRIME): the RPC layer never negotiates it.

import * as zlib from 'node:zlib'
import {
  acceptOffer,
  confirmAnswer,
  leastWindow,
  offerOf,
  type DeflateTerms,
  type DeflateWishes,
  type Direction,
} from './deflate-parameters.ts'
import type { AgreedExtension, MessageCodec, WebSocketExtension } from './extension.ts'
import { CloseCode, WebSocketError } from './opcode.ts'

export type {
  AgreedExtension,
  ExtensionParameter,
  MessageCodec,
  WebSocketExtension,
} from './extension.ts'

export interface DeflateOptions {
  /** The server compresses each message by itself: less memory, larger messages. Default false. */
  readonly serverNoContextTakeover?: boolean | undefined
  /** The same for what the client compresses. Default false. */
  readonly clientNoContextTakeover?: boolean | undefined
  /**
   * Largest window of what the server compresses, as a power of two, 9 to 15. Default 15. As a
   * client: asked of the server, and insisted on.
   */
  readonly serverMaxWindowBits?: number | undefined
  /** The same for what the client compresses. A server declines clients that cannot be held to it. */
  readonly clientMaxWindowBits?: number | undefined
  /** Messages below this many bytes are sent as they are. Default 1,024. */
  readonly threshold?: number | undefined
}

/**
 * Offers and accepts compression of messages. A connection with it holds about 300 KiB once it has
 * sent and received, unless both directions are without context takeover. Throws RangeError for
 * windows other than 9 to 15 bits: zlib cannot compress with 8, so offers of 8 for our side are
 * declined, and answers of 8 are kept to by sending everything uncompressed.
 */
export function deflate(options: DeflateOptions = {}): WebSocketExtension {
  const {
    serverNoContextTakeover = false,
    clientNoContextTakeover = false,
    serverMaxWindowBits,
    clientMaxWindowBits,
    threshold = 1_024,
  } = options
  checkWindow('serverMaxWindowBits', serverMaxWindowBits)
  checkWindow('clientMaxWindowBits', clientMaxWindowBits)
  if (!(threshold >= 0)) throw new RangeError('threshold must be a number from 0')
  const wishes: DeflateWishes = {
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits,
  }
  return {
    name,
    offer: () => [name, ...offerOf(wishes)].join('; '),
    accept: (offered) => {
      const terms = acceptOffer(offered, wishes)
      return terms && agreed(terms, terms.server, terms.client, threshold)
    },
    confirm: (chosen) => {
      const terms = confirmAnswer(chosen, wishes)
      return agreed(terms, terms.client, terms.server, threshold)
    },
  }
}

const name = 'permessage-deflate'

function checkWindow(option: string, bits: number | undefined): void {
  if (bits === undefined || (Number.isInteger(bits) && bits >= leastWindow && bits <= 15)) return
  throw new RangeError(`${option} must be an integer from ${leastWindow} to 15`)
}

function agreed(
  { answer }: DeflateTerms,
  out: Direction,
  back: Direction,
  threshold: number,
): AgreedExtension {
  return {
    value: [name, ...answer].join('; '),
    start: () => new DeflateCodec(out, back, threshold),
  }
}

class DeflateCodec implements MessageCodec {
  private readonly deflater: Deflater
  private readonly inflater: Inflater
  private readonly threshold: number

  constructor(out: Direction, back: Direction, threshold: number) {
    this.deflater = new Deflater(out)
    this.inflater = new Inflater(back)
    this.threshold = out.windowBits < leastWindow ? Infinity : threshold
  }

  wants(size: number): boolean {
    return size >= this.threshold
  }

  encode(message: Uint8Array, done: (error: Error | undefined, payload: Uint8Array) => void): void {
    this.deflater.run(message, done)
  }

  decode(
    payload: Uint8Array,
    maxMessage: number,
    done: (error: Error | undefined, message: Uint8Array) => void,
  ): void {
    this.inflater.run(payload, maxMessage, done)
  }

  close(): void {
    this.deflater.close()
    this.inflater.close()
  }
}

const empty = new Uint8Array(0)
/** What a sync flush ends with, and a message leaves out (section 7.2.1). */
const tail = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

class Deflater {
  private readonly direction: Direction
  private stream: zlib.DeflateRaw | undefined
  private pieces: Buffer[] = []

  constructor(direction: Direction) {
    this.direction = direction
  }

  run(message: Uint8Array, done: (error: Error | undefined, payload: Uint8Array) => void): void {
    // Section 7.2.3.6: nothing to flush would give nothing at all.
    if (message.length === 0) return process.nextTick(() => done(undefined, Uint8Array.of(0x00)))
    const stream = (this.stream ??= this.begin())
    const onError = (error: Error): void => {
      this.close()
      done(error, empty)
    }
    stream.once('error', onError)
    stream.write(message)
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      if (this.stream !== stream) return
      stream.off('error', onError)
      // What the stream has not told yet.
      stream.read()
      const whole = Buffer.concat(this.pieces)
      this.pieces = []
      if (!this.direction.takeover) this.close()
      done(undefined, whole.subarray(0, whole.length - tail.length))
    })
  }

  private begin(): zlib.DeflateRaw {
    const stream = zlib.createDeflateRaw({ windowBits: this.direction.windowBits })
    stream.on('data', (piece: Buffer) => this.pieces.push(piece))
    return stream
  }

  close(): void {
    const { stream } = this
    this.stream = undefined
    this.pieces = []
    stream?.on('error', () => undefined)
    stream?.close()
  }
}

/** A message may end its stream and begin another (section 7.2.3.4), but not for ever. */
const maxFinalBlocks = 16
const windowBytes = 32 * 1024

interface InflateJob {
  /** What is left of the message. */
  payload: Uint8Array
  readonly maxMessage: number
  readonly done: (error: Error | undefined, message: Uint8Array) => void
  readonly pieces: Buffer[]
  bytes: number
  finalBlocks: number
}

class Inflater {
  private readonly direction: Direction
  private stream: zlib.InflateRaw | undefined
  private job: InflateJob | undefined

  constructor(direction: Direction) {
    this.direction = direction
  }

  run(
    payload: Uint8Array,
    maxMessage: number,
    done: (error: Error | undefined, message: Uint8Array) => void,
  ): void {
    // Section 7.2.3.6: an empty message has a byte. From who leaves it out it is empty all the same,
    // and the stream does not see it: the tail alone would begin a block that never ends.
    if (payload.length === 0) return process.nextTick(() => done(undefined, empty))
    this.job = { payload, maxMessage, done, pieces: [], bytes: 0, finalBlocks: 0 }
    this.feed(this.job, (this.stream ??= this.begin()))
  }

  private begin(dictionary?: Buffer): zlib.InflateRaw {
    const stream = zlib.createInflateRaw({
      // Who says 8 and compresses by zlib uses 9.
      windowBits: Math.max(leastWindow, this.direction.windowBits),
      ...(dictionary === undefined ? {} : { dictionary }),
    })
    stream.on('data', (piece: Buffer) => this.take(piece))
    // The text of zlib says nothing that the peer does not know.
    stream.on('error', () => {
      if (this.stream === stream) this.end(notDeflate())
    })
    return stream
  }

  private feed(job: InflateJob, stream: zlib.InflateRaw): void {
    const { payload } = job
    const before = stream.bytesWritten
    let bytes = 0
    stream.write(payload, () => {
      stream.read()
      bytes = job.bytes
    })
    stream.write(tail)
    stream.flush(() => {
      if (this.stream !== stream || this.job !== job) return
      stream.read()
      if (this.job !== job) return
      // The tail is an empty block. Where something came out of it, it was the rest of another one.
      if (job.bytes !== bytes) return this.end(notDeflate())
      const taken = stream.bytesWritten - before
      if (taken === payload.length + tail.length) return this.end(undefined)
      this.beginAgain(job, payload.subarray(taken))
    })
  }

  /** The peer has ended its stream: what follows in the message, or the next message, begins another. */
  private beginAgain(job: InflateJob, rest: Uint8Array): void {
    job.finalBlocks += 1
    if (job.finalBlocks > maxFinalBlocks)
      return this.end(
        new WebSocketError(CloseCode.PolicyViolation, 'a message of too many deflate streams'),
      )
    this.stream?.close()
    this.stream = undefined
    if (rest.length === 0) return this.end(undefined)
    // The window goes on, as far as this message has filled it.
    const dictionary = Buffer.concat(job.pieces).subarray(-windowBytes)
    this.stream = this.begin(dictionary.length === 0 ? undefined : dictionary)
    job.payload = rest
    this.feed(job, this.stream)
  }

  /** Counted piece by piece: what is over the limit is not inflated to its end (threat F14). */
  private take(piece: Buffer): void {
    const { job } = this
    if (job === undefined) return
    job.bytes += piece.length
    if (job.bytes <= job.maxMessage) {
      job.pieces.push(piece)
      return
    }
    this.end(new WebSocketError(CloseCode.TooBig, `message over ${job.maxMessage} bytes`))
  }

  private end(error: Error | undefined): void {
    const { job } = this
    this.job = undefined
    if (job === undefined) return
    if (error !== undefined || !this.direction.takeover) this.close()
    if (error !== undefined) return job.done(error, empty)
    const [first = empty, ...more] = job.pieces
    job.done(undefined, more.length === 0 ? first : Buffer.concat(job.pieces, job.bytes))
  }

  close(): void {
    const { stream } = this
    this.stream = undefined
    this.job = undefined
    stream?.destroy()
  }
}

function notDeflate(): WebSocketError {
  return new WebSocketError(CloseCode.InvalidPayload, 'a message that cannot be decompressed')
}
