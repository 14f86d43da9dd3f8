// How values of one schema become payload bytes, and back.
//   in  -> a value, or a byte range
//   out -> bytes in a sink, or a value
// Knows nothing of frames: what is in front of the payload is the caller's.

import type { Limits } from '../base/limits.ts'
import type { ByteSink } from './sink.ts'

/** Encodes and decodes the values of one schema. Built once per schema, lazily. */
export interface SchemaCodec<T = unknown> {
  /**
   * Appends the payload of `value` to `out`. Throws `CodecError` for a value that cannot travel,
   * and then leaves `out` in an undefined state: the caller resets it.
   */
  encode(value: T, out: ByteSink): void
  /**
   * Reads the payload `bytes[start, end)`, all of it. The result shares no memory with `bytes`.
   * Throws `CodecError` for anything else than one well-formed value.
   */
  decode(bytes: Uint8Array, start: number, end: number): T
  /** Nodes of a payload, without decoding it; 0 for one that does not decode. */
  count(bytes: Uint8Array, start: number, end: number): number
  /** Nodes of the value decoded last: containers, keys and values. What a held value is charged by. */
  readonly nodes: number
  /** True if `decode` has checked the schema as well, so that no validator needs to run. */
  readonly checked: boolean
}

/** Why a payload or a value is refused. */
export type RefusedReason =
  | 'depth'
  | 'nodes'
  | 'end'
  | 'length'
  | 'key'
  | 'proto'
  | 'ext'
  | 'utf8'
  | 'dup'
  | 'value'

/** A payload that does not decode, or a value that does not encode. Never holds payload text. */
export class CodecError extends Error {
  readonly reason: RefusedReason
  /** Where in the value, as a JSON pointer without values; msgpack knows it when encoding only. */
  readonly path: string
  /** The limit that was passed, where that is why. */
  readonly limit: keyof Limits | undefined

  constructor(reason: RefusedReason, message: string, path = '', limit?: keyof Limits) {
    super(message)
    this.name = 'CodecError'
    this.reason = reason
    this.path = path
    this.limit = limit
  }
}

/** A codec that may be agreed on, as options name it. */
export interface CodecChoice {
  readonly name: string
  /** The codec under the limits of one side. */
  codec(limits: Pick<Limits, 'maxDepth' | 'maxNodes' | 'maxKeys'>): Codec
}

/** Makes the codec of a schema. `schema` is undefined where a contract declares none. */
export interface Codec {
  /** Its name in HELLO and WELCOME. */
  readonly name: string
  of(schema: object | undefined): SchemaCodec
}
