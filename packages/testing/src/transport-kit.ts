// What the cases of the transport suite are written with: two ends of a link, and what they heard.
//   in  -> a transport under test, as a `TransportKit`
//   out -> `Stage`: listener, links with recorders, frames to send; small assertions
// Needs no test runner, and nothing of Node.

import {
  frameRoom,
  type DialOptions,
  type Link,
  type LinkClose,
  type LinkHandler,
  type Listener,
  type ListenOptions,
  type Transport,
} from '@callbox/core/internal'

/** What a transport has beyond the contract of a link; cases that need more are left out. */
export interface TransportCapabilities {
  /** Dialing where nobody listens fails by itself. */
  readonly refusesDial: boolean
  /** Only one listener at an address, and the address is free again after its close. */
  readonly exclusiveAddress: boolean
  /** The system chooses a port when 0 is asked for. */
  readonly ports: boolean
  /**
   * A reader that pauses makes bytes wait at the sender. WebSockets of browsers, Bun and Deno cannot
   * stop reading: what waits, waits at the reader.
   */
  readonly holdsBack: boolean
}

/** The transport under test. */
export interface TransportKit {
  readonly capabilities: TransportCapabilities
  /** A transport to listen with, at an address that nobody else uses. Called once for each case. */
  server(): Transport
  /** A transport that leads to this listener. It also listens there if addresses are exclusive. */
  client(listener: Listener): Transport
}

/** Throws with `text` unless the condition holds. */
export function check(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(text)
}

/** Throws with both values unless they are the same. */
export function same<T>(actual: T, expected: T, text: string): void {
  if (!Object.is(actual, expected))
    throw new Error(`${text}: ${String(actual)}, not ${String(expected)}`)
}

/** A frame of `size` bytes behind its room; its bytes follow from `seed`. */
export function frameOf(
  size: number,
  seed = 0,
): { buffer: Uint8Array; start: number; end: number } {
  const buffer = new Uint8Array(frameRoom + size)
  fill(buffer, frameRoom, frameRoom + size, seed)
  return { buffer, start: frameRoom, end: frameRoom + size }
}

function fill(buffer: Uint8Array, start: number, end: number, seed: number): void {
  for (let at = start; at < end; at += 1)
    buffer[at] = ((at - start) * 7 + seed * 13 + (seed >>> 8)) & 0xff
}

/** Whether `bytes` are those of `frameOf(bytes.length, seed)`. */
export function isFrame(bytes: Uint8Array, seed = 0): boolean {
  for (let at = 0; at < bytes.length; at += 1)
    if (bytes[at] !== ((at * 7 + seed * 13 + (seed >>> 8)) & 0xff)) return false
  return true
}

/** Turns of the event loop: enough for what is on its way inside one process, for no more. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1)
    await new Promise<void>((resolve) => setTimeout(resolve, 0))
}

/** One end of a link, and everything that its link has told it. */
export class End implements LinkHandler {
  readonly link: Link
  /** Copies, in the order in which they came. */
  readonly frames: Uint8Array[] = []
  drains = 0
  close: LinkClose | undefined
  /** Calls that a link must not make. */
  readonly faults: string[] = []
  /** Runs for each frame, after it was recorded. */
  whenFrame: (count: number) => void = () => undefined
  private waiting: { readonly met: () => boolean; readonly resolve: () => void }[] = []

  constructor(link: Link) {
    this.link = link
  }

  /** Opens the link with this end as its handler. */
  open(): this {
    this.link.open(this)
    return this
  }

  onFrame(buffer: Uint8Array, start: number, end: number): void {
    if (this.close !== undefined) this.faults.push('onFrame after onClose')
    // `slice` of a Buffer would be a view.
    this.frames.push(new Uint8Array(buffer.subarray(start, end)))
    try {
      this.whenFrame(this.frames.length)
    } finally {
      this.wake()
    }
  }

  onDrain(): void {
    if (this.close !== undefined) this.faults.push('onDrain after onClose')
    this.drains += 1
    this.wake()
  }

  onClose(close: LinkClose): void {
    if (this.close !== undefined) this.faults.push('onClose twice')
    this.close = close
    this.wake()
  }

  /** Writes a frame of these bytes; answers its buffer. */
  write(size: number, seed = 0): Uint8Array {
    const { buffer, start, end } = frameOf(size, seed)
    this.link.write(buffer, start, end)
    return buffer
  }

  /** Writes one frame and flushes. */
  send(size: number, seed = 0): Uint8Array {
    const buffer = this.write(size, seed)
    this.link.flush()
    return buffer
  }

  /** Settles once `count` frames have come. */
  received(count: number): Promise<void> {
    return this.until(() => this.frames.length >= count)
  }

  /** Settles once this end is closed, with the reason. */
  async closed(): Promise<LinkClose> {
    await this.until(() => this.close !== undefined)
    return this.close!
  }

  /** Settles once everything written has left and `onDrain` said so. */
  drained(): Promise<void> {
    return this.until(() => this.drains > 0 && this.link.unsentBytes === 0)
  }

  private until(met: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ met, resolve })
      this.wake()
    })
  }

  private wake(): void {
    this.waiting = this.waiting.filter(({ met, resolve }) => {
      if (!met()) return true
      resolve()
      return false
    })
  }
}

/** A signal that never aborts. */
export const noSignal: DialOptions['signal'] = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}

const defaults: Pick<ListenOptions, 'maxFrame' | 'handshakeMs' | 'maxConnections'> = {
  maxFrame: 66_560,
  handshakeMs: 5_000,
  maxConnections: 100,
}

/** A listener and the links of one case. */
export class Stage {
  readonly kit: TransportKit
  readonly maxFrame: number
  listener!: Listener
  /** Links that the listener has accepted and nobody has taken yet. */
  private readonly accepted: Link[] = []
  private readonly wanted: ((link: Link) => void)[] = []
  private readonly ends: End[] = []

  constructor(kit: TransportKit, maxFrame: number) {
    this.kit = kit
    this.maxFrame = maxFrame
  }

  static async open(kit: TransportKit, options: Partial<typeof defaults> = {}): Promise<Stage> {
    const stage = new Stage(kit, options.maxFrame ?? defaults.maxFrame)
    stage.listener = await stage.listen(kit.server(), options)
    return stage
  }

  listen(transport: Transport, options: Partial<typeof defaults> = {}): Promise<Listener> {
    check(transport.listen !== undefined, 'this transport does not listen')
    return transport.listen({
      ...defaults,
      ...options,
      onError: () => undefined,
      onLink: (link) => {
        const taker = this.wanted.shift()
        if (taker === undefined) this.accepted.push(link)
        else taker(link)
      },
    })
  }

  dial(signal: DialOptions['signal'] = noSignal): Promise<Link> {
    const transport = this.kit.client(this.listener)
    check(transport.dial !== undefined, 'this transport does not dial')
    return transport.dial({ signal, maxFrame: this.maxFrame })
  }

  /** The next link that the listener accepts. */
  accept(): Promise<Link> {
    const link = this.accepted.shift()
    return link === undefined
      ? new Promise((resolve) => this.wanted.push(resolve))
      : Promise.resolve(link)
  }

  /** Two ends of a new link, the dialing one first; not yet opened. */
  async connect(): Promise<readonly [End, End]> {
    const [near, far] = await Promise.all([this.dial(), this.accept()])
    return [this.end(near), this.end(far)]
  }

  /** The same, opened. */
  async pair(): Promise<readonly [End, End]> {
    const [near, far] = await this.connect()
    return [near.open(), far.open()]
  }

  end(link: Link): End {
    const end = new End(link)
    this.ends.push(end)
    return end
  }

  /** Ends everything, and checks what holds for every link: no call after its one `onClose`. */
  async strike(): Promise<void> {
    await this.listener.close()
    for (const link of this.accepted) link.abort()
    for (const { link } of this.ends) link.abort()
    await Promise.all(this.ends.map(({ link }) => link.close()))
    await turns(2)
    for (const { faults } of this.ends) same(faults.join(), '', 'calls that a link must not make')
  }
}

/** One case of the suite. */
export interface SuiteCase {
  readonly title: string
  /** Left out for transports without it. */
  readonly needs?: keyof TransportCapabilities
  readonly maxFrame?: number
  readonly maxConnections?: number
  run(stage: Stage): Promise<void>
}
