// The compact codec for browsers: without code generation, which pages may forbid.
//   in  -> nothing
//   out -> a codec for the `codecs` of a client
// The same bytes as `compact.ts`.

import type { CodecChoice } from './codec/codec.ts'
import { compactWith } from './codec/compact/compact.ts'

/** The compact codec. Calls by name are in msgpack all the same. */
export function compact(): CodecChoice {
  return compactWith(() => undefined)
}
