// What a case is: data, for both roles, that says which bytes go in and what has to come out.
//   in  -> the families of cases
//   out -> whoever runs them
// The runner plays the other side, so frames are written without a role: it masks them as it has to.

import { Opcode, utf8, type Frame, type Role } from './wire.ts'

/**
 * Which end is tested. All but `echo` have settings that an echo server from elsewhere need not have,
 * so against one only the cases of `echo` are run. See subject.ts for the settings.
 */
export type Profile =
  | 'echo'
  | 'plain'
  | 'limited'
  | 'subprotocols'
  | 'required'
  | 'sameHost'
  | 'origins'
  | 'anyOrigin'
  | 'anyOriginDeflate'
  | 'commands'
  | 'impatient'
  | 'noTakeover'
  | 'smallWindows'

export interface Case {
  readonly title: string
  /** The rule: 'RFC 6455 5.2'. */
  readonly section: string
  /** Default both. */
  readonly role?: Role
  /** Default `echo`. */
  readonly profile?: Profile
  /** Of a server: the request, and what the answer must be. Default: a good one, and 101. */
  readonly request?: Request
  /** Of a client: the answer to its request, and what that must be. Default: a good one. */
  readonly answer?: Answer
  /** After the opening handshake. Default: a ping and its pong. */
  readonly exchange?: readonly Exchange[]
  /** Default `open`. */
  readonly end?: End
  /** What its application is told. Seen only where that runs in this process. */
  readonly told?: Told
}

export interface Exchange {
  /** Written at once. */
  readonly send: readonly (Frame | Uint8Array)[]
  /** Awaited before anything more is sent. Data and pongs each in their order. */
  readonly expect: readonly Expected[]
}

export type Expected =
  | {
      readonly kind: 'text' | 'binary'
      readonly payload: Uint8Array
      readonly compressed?: boolean
    }
  /** Section 5.5.3: of pings that follow each other closely only the last needs an answer. */
  | { readonly kind: 'pong'; readonly payload: Uint8Array; readonly optional?: boolean }

export type End =
  /** Nothing was wrong: a close with 1000 is answered with 1000, and nothing else came. */
  | { readonly kind: 'open' }
  /** It closes with one of these codes, 1005 for none, whether by itself or because it was asked to. */
  | { readonly kind: 'close'; readonly codes: readonly number[]; readonly reason?: Uint8Array }
  /** It closes with one of these codes, nobody answers, and it ends the connection all the same. */
  | { readonly kind: 'unanswered'; readonly codes: readonly number[] }
  /** The connection ends without a close frame, once the runner has ended its side or reset it. */
  | { readonly kind: 'gone'; readonly by: 'end' | 'reset' | 'itself' }
  /** The server refuses the request with one of these statuses. */
  | {
      readonly kind: 'refused'
      readonly status: readonly number[]
      readonly headers?: readonly (readonly [name: string, value: RegExp])[]
    }
  /** The client does not open. */
  | { readonly kind: 'rejected' }

export interface Told {
  readonly code: number
  readonly reason?: string
  readonly wasClean: boolean
}

/** Changes to a good request; a value of undefined takes the header out. */
export interface Request {
  readonly method?: string
  /** Default `/`, or the path of the URL. */
  readonly target?: string
  readonly version?: string
  readonly headers?: readonly Header[]
  /** Instead of all this. `{host}` is replaced. */
  readonly raw?: string
  /** Bytes behind the request, in the same write. */
  readonly body?: Uint8Array
  /** The first exchange is sent together with the request. */
  readonly withFrames?: boolean
  /** Default none. */
  readonly protocol?: string
  /**
   * `none`: no extension is agreed. `deflate`: permessage-deflate is. `either`. With parameters:
   * permessage-deflate, with these at least.
   */
  readonly extension?: 'none' | 'deflate' | 'either' | readonly (string | RegExp)[]
  /** A 400 is as good as 101. */
  readonly or400?: boolean
}

/** Changes to a good answer; a value of undefined takes the header out. */
export interface Answer {
  /** Default `HTTP/1.1 101 Switching Protocols`. */
  readonly status?: string
  readonly headers?: readonly Header[]
  /** Instead of all this. `{accept}` is replaced. */
  readonly raw?: string
  /** Behind the header, in the same write. */
  readonly body?: Uint8Array
  /** The first exchange is sent together with the answer. */
  readonly withFrames?: boolean
  /** After the answer the runner ends its side. */
  readonly ends?: boolean
  /** What the request must be like. */
  readonly request?: (request: ParsedRequest) => string | undefined
  /** As the client must report it. */
  readonly protocol?: string
}

export type Header = readonly [name: string, value: string | undefined]

export interface ParsedRequest {
  readonly line: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Values of a header, by its name in lower case. */
  readonly all: (name: string) => readonly string[]
}

/** A family is a chapter of the table. */
export interface Family {
  readonly name: string
  readonly cases: readonly Case[]
}

const empty = new Uint8Array(0)

type Payload = string | Uint8Array

export function bytesOf(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? utf8(payload) : payload
}

type More = Omit<Frame, 'opcode' | 'payload'>

export const text = (payload: Payload, more: More = {}): Frame => frame(Opcode.Text, payload, more)
export const binary = (payload: Payload, more: More = {}): Frame =>
  frame(Opcode.Binary, payload, more)
export const next = (payload: Payload, more: More = {}): Frame =>
  frame(Opcode.Continuation, payload, more)
export const ping = (payload: Payload = empty, more: More = {}): Frame =>
  frame(Opcode.Ping, payload, more)
export const pong = (payload: Payload = empty, more: More = {}): Frame =>
  frame(Opcode.Pong, payload, more)
/** Without a code: an empty one. */
export const close = (code?: number, reason: Payload = empty, more: More = {}): Frame =>
  frame(Opcode.Close, code === undefined ? empty : closeBody(code, reason), more)

export function frame(opcode: number, payload: Payload, more: More = {}): Frame {
  return { opcode, payload: bytesOf(payload), ...more }
}

export function closeBody(code: number, reason: Payload = empty): Uint8Array {
  return Uint8Array.from([code >> 8, code & 0xff, ...bytesOf(reason)])
}

export const gotText = (payload: Payload): Expected => ({ kind: 'text', payload: bytesOf(payload) })
export const gotBinary = (payload: Payload): Expected => ({
  kind: 'binary',
  payload: bytesOf(payload),
})
export const gotPong = (payload: Payload = empty): Extract<Expected, { kind: 'pong' }> => ({
  kind: 'pong',
  payload: bytesOf(payload),
})

export const closes = (...codes: readonly number[]): End => ({ kind: 'close', codes })
export const gone = (by: 'end' | 'reset' | 'itself'): End => ({ kind: 'gone', by })
export const refused = (...status: readonly number[]): End => ({ kind: 'refused', status })
export const rejected: End = { kind: 'rejected' }

/** What comes behind a broken rule has no effect any more: no pong, no echo. */
export const aftermath: readonly Frame[] = [ping('late'), text('late')]

/** `bytes` filled with 0, 1, 2 ... 255, 0, ... */
export function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at & 0xff)
}
