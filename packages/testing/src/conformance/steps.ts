// What a raw peer does in a case, one step after the other, as data.
//   in  -> frames and bytes
//   out -> `Step`s, for the driver in `wire-driver.ts`
// Whoever plays them needs a raw peer and a side under test, and no code of that side.

import { joined, rawFrame, rawRequest, u32 } from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'

/** The next frame of the side under test. ACK, PING and CREDIT are passed over unless asked for. */
export interface ExpectedFrame {
  readonly frame:
    | 'WELCOME'
    | 'HELLO'
    | 'PONG'
    | 'REQUEST'
    | 'DATA'
    | 'END'
    | 'ERROR'
    | 'CANCEL'
    | 'CREDIT'
    | 'NOTIFY'
  readonly id?: number
  /** DATA: the payload. */
  readonly value?: unknown
  /** DATA, REQUEST: whether END is set. */
  readonly end?: boolean
  /** ERROR: its number; CANCEL too. */
  readonly code?: number
  /** ERROR: whether NOT_PROCESSED is set. */
  readonly processed?: 'no' | 'yes'
  /** ERROR: a text that its message has in it. */
  readonly text?: string
  /** PONG: the position that it states. */
  readonly received?: number
  /** WELCOME, HELLO: keys that its map has. */
  readonly map?: object
  /** WELCOME, HELLO: keys that its map has not. */
  readonly without?: readonly string[]
  /** WELCOME: the minor version. */
  readonly minor?: number
}

/** A call that the client under test makes, of a method of `conf`. */
export interface StartedCall {
  readonly name: string
  readonly method: 'values' | 'size' | 'notes'
  /** JSON, or `{ "bytes": n }` for so many bytes. */
  readonly input?: unknown
  readonly timeoutMs?: number
}

/** How such a call settles: with a value, or with an error that has these properties. */
export interface SettledCall {
  readonly name: string
  readonly value?: unknown
  readonly error?: {
    readonly code: string
    readonly processed?: string
    readonly text?: readonly string[]
    readonly tag?: string
  }
}

/** Numbers of `inspect()` for the one connection, asked for until they hold. */
export interface Inspected {
  readonly buffered?: number
  readonly held?: number
  readonly served?: number
  readonly made?: number
  readonly waiting?: number
}

/** One frame of a WebSocket, right or wrong. */
export interface WebSocketPart {
  readonly payload: Uint8Array
  readonly opcode?: number
  readonly fin?: boolean
  readonly rsv?: number
}

export type Step =
  /** Frames, each with the prefix or header of the link, in one write. */
  | { readonly do: 'send'; readonly frames: readonly Uint8Array[] }
  /** The same bytes in two writes; `at` is where the second begins. */
  | { readonly do: 'send cut'; readonly frames: readonly Uint8Array[]; readonly at: number }
  /** The same bytes in writes of `chunk` bytes, one every `everyMs`. */
  | {
      readonly do: 'send slowly'
      readonly frames: readonly Uint8Array[]
      readonly chunk: number
      readonly everyMs?: number
    }
  /** Bytes as they are. */
  | { readonly do: 'send bytes'; readonly bytes: Uint8Array }
  | { readonly do: 'send websocket'; readonly parts: readonly WebSocketPart[] }
  /** Frames of one call, as far as its credit reaches: the window at first, then CREDIT. */
  | {
      readonly do: 'send within credit'
      readonly frames: readonly Uint8Array[]
      /** What the first frame has spent already, in bytes. */
      readonly spent?: number
    }
  | { readonly do: 'expect'; readonly frame: ExpectedFrame }
  /** The same frames in any order. */
  | { readonly do: 'expect all'; readonly frames: readonly ExpectedFrame[] }
  /** PING is answered, and nothing came before the answer. */
  | { readonly do: 'expect nothing' }
  /** So many frames of this kind came since the beginning, and no more come. */
  | { readonly do: 'count'; readonly frame: 'DATA' | 'PONG'; readonly is: number }
  | { readonly do: 'inspect'; readonly is: Inspected }
  | { readonly do: 'call'; readonly call: StartedCall }
  | { readonly do: 'settles'; readonly call: SettledCall }
  /** The raw peer reads nothing more. */
  | { readonly do: 'stop reading' }
  /** The raw peer destroys the connection. */
  | { readonly do: 'cut' }

export const send = (...frames: readonly Uint8Array[]): Step => ({ do: 'send', frames })
export const expects = (frame: ExpectedFrame): Step => ({ do: 'expect', frame })
export const nothing: Step = { do: 'expect nothing' }
export const inspects = (is: Inspected): Step => ({ do: 'inspect', is })

/** A call and its answer. */
export const answered = (id: number): readonly Step[] => [
  send(rawRequest({ id, method: 'conf.values', value: id })),
  expects({ frame: 'DATA', id, value: id, end: true }),
]

export const Flags = { More: 1, End: 2, Meta: 4, Named: 8, Deadline: 16, Compressed: 32, Cont: 64 }
export const ignorable = 0x80

export const Code = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unauthenticated: 16,
  flowControl: 34,
  protocol: 35,
} as const

/** `conf.size` as NAMED says it: its length in front. */
export function named(method: string): Uint8Array {
  const name = new TextEncoder().encode(`conf.${method}`)
  return joined(Uint8Array.of(name.length), name)
}

/** META as it stands in a frame: its length, then a map. */
export function metaOf(map: object): Uint8Array {
  const bytes = toMsgpack(map)
  return joined(Uint8Array.of(bytes.length >>> 8, bytes.length), bytes)
}

/** The first fragment of a REQUEST that announces `total` bytes. */
export function firstFragment(
  id: number,
  method: string,
  total: number,
  part: Uint8Array,
): Uint8Array {
  return rawFrame(0x10, Flags.Named | Flags.More, id, named(method), u32(total), part)
}

/** A further fragment; `flags` are added to CONT. */
export function nextFragment(id: number, flags: number, part: Uint8Array): Uint8Array {
  return rawFrame(0x11, Flags.Cont | flags, id, part)
}

/** A whole REQUEST of one input, in fragments of `size` bytes. */
export function fragments(
  id: number,
  method: string,
  value: unknown,
  size: number,
): readonly Uint8Array[] {
  const payload = toMsgpack(value)
  const all: Uint8Array[] = []
  for (let at = 0; at < payload.length; at += size) {
    const part = payload.subarray(at, at + size)
    const last = at + size >= payload.length
    all.push(
      at === 0
        ? firstFragment(id, method, payload.length, part)
        : nextFragment(id, last ? Flags.End : Flags.More, part),
    )
  }
  return all
}
