// The compact codec: payloads without names, by the schema that both sides have (docs/codec.md).
//   in  -> nothing
//   out -> a codec for the `codecs` of a server or a client
// Generates code from the contract's own schemas; where that is forbidden, the same codec is put
// together from closures. Browsers get `compact.browser.ts`, which has no generator at all.

import type { CodecChoice } from './codec/codec.ts'
import { compactWith } from './codec/compact/compact.ts'
import { generatedOf } from './codec/compact/generate.ts'

/** The compact codec. Calls by name are in msgpack all the same. */
export function compact(): CodecChoice {
  return compactWith((plan, limits) => {
    try {
      return generatedOf(plan, limits)
    } catch (error) {
      if (error instanceof EvalError) return undefined
      throw error
    }
  })
}
