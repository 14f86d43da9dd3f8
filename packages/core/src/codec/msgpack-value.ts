// Single values in msgpack: the maps of HELLO and WELCOME, metadata, what errors carry.
//   in  -> values; bytes of a peer
//   out -> bytes of their own; values that own their memory
// Without msgpackr: what every client needs, whichever codec its payloads have.

import type { Codec } from './codec.ts'
import { checkMsgpack, type GuardLimits } from './guard.ts'
import { msgpackCodecWith } from './msgpack-codec.ts'
import { readScanned } from './msgpack-reader.ts'
import { writeMsgpack } from './msgpack-writer.ts'
import { ByteSink } from './sink.ts'

/** The msgpack codec of clients that carry no msgpackr. */
export function plainMsgpackCodec(limits: GuardLimits): Codec {
  return msgpackCodecWith(readScanned, limits)
}

/** Of values that no connection's limits govern, such as the maps of a handshake. */
const ownLimits: GuardLimits = { maxDepth: 64, maxNodes: 262_144, maxKeys: 32_768 }

let scratch: ByteSink | undefined

/** Encodes one value to bytes of its own. Throws CodecError with the path of what cannot travel. */
export function encodeValue(value: unknown): Uint8Array<ArrayBuffer> {
  // Taken away while in use: a getter of the value may come back here.
  const sink = scratch ?? new ByteSink()
  scratch = undefined
  const { buffer } = sink
  sink.begin(0)
  try {
    writeMsgpack(value, sink, ownLimits)
    return sink.buffer.slice(sink.start, sink.position)
  } finally {
    sink.reset()
    // One that grew goes away.
    if (sink.buffer === buffer) scratch = sink
  }
}

/**
 * Decodes one value that a peer has sent, `bytes[start, end)`. The result shares no memory with
 * `bytes`; binary is plain Uint8Array. Throws CodecError, whose text holds nothing of the peer's.
 */
export function decodeValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: GuardLimits,
): unknown {
  checkMsgpack(bytes, start, end, limits)
  return readScanned(bytes, start)
}
