// msgpack as a codec of payloads: self-describing, so one codec for all schemas but those of objects.
//   in  -> values, written by `msgpack-writer.ts`; bytes, scanned by `guard.ts`
//   out -> payload bytes; values that own their memory
// Who reads what was scanned is passed in. Checks no schema.

import type { Codec, SchemaCodec } from './codec.ts'
import { checkMsgpack, type GuardLimits, type Scan } from './guard.ts'
import { writeMsgpack } from './msgpack-writer.ts'
import type { ByteSink } from './sink.ts'

/** Reads `bytes[start, end)`, which `scan` is about. The result shares no memory with `bytes`. */
export type ScannedReader = (
  bytes: Uint8Array,
  start: number,
  end: number,
  scan: Readonly<Scan>,
) => unknown

/** The msgpack codec under these limits. */
export function msgpackCodecWith(read: ScannedReader, limits: GuardLimits): Codec {
  const any = new MsgpackCodec(read, limits, false)
  const anyObject = new MsgpackCodec(read, limits, true)
  return {
    name: 'msgpack',
    of: (schema) => (schema !== undefined && isObjectSchema(schema) ? anyObject : any),
  }
}

function isObjectSchema(schema: object): boolean {
  return '~kind' in schema && schema['~kind'] === 'Object'
}

class MsgpackCodec implements SchemaCodec {
  readonly checked = false
  nodes = 0
  private readonly read: ScannedReader
  private readonly limits: GuardLimits
  private readonly emptyIsObject: boolean

  constructor(read: ScannedReader, limits: GuardLimits, emptyIsObject: boolean) {
    this.read = read
    this.limits = limits
    this.emptyIsObject = emptyIsObject
  }

  encode(value: unknown, out: ByteSink): void {
    // No bytes are `undefined`: an argument that was left out.
    if (value !== undefined) writeMsgpack(value, out, this.limits)
  }

  decode(bytes: Uint8Array, start: number, end: number): unknown {
    this.nodes = 1
    if (start === end) return this.emptyIsObject ? {} : undefined
    const scan = checkMsgpack(bytes, start, end, this.limits)
    this.nodes = scan.nodes
    return this.read(bytes, start, end, scan)
  }

  count(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 1
    try {
      return checkMsgpack(bytes, start, end, this.limits).nodes
    } catch {
      return 0
    }
  }
}
