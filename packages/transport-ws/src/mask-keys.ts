// Masking keys: fresh and unpredictable for every frame of a client (RFC 6455, section 10.3).
//   out -> numbers of 32 bits from the system's source of randomness, drawn a block at a time

import { randomFillSync } from 'node:crypto'

/** One block for the process: no connection keeps one. */
const block = new Uint32Array(1_024)
let nextAt = block.length

export function newMaskKey(): number {
  if (nextAt === block.length) {
    randomFillSync(block)
    nextAt = 0
  }
  const key = block[nextAt]!
  nextAt += 1
  return key
}
