// Compressed payloads for the cases (RFC 7692, section 7.2.1), by zlib.
//   in  -> a message, how to compress it, what came before it
//   out -> the payload of a frame

import { constants, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { bytesOf } from './case.ts'

export interface Compress extends Pick<ZlibOptions, 'level' | 'strategy'> {
  /** Default 15. */
  readonly windowBits?: number
  /** What the other side remembers: earlier messages, one after the other. */
  readonly history?: Uint8Array
}

/** Without the 4 bytes at the end that the receiver adds again. */
export function compress(message: string | Uint8Array, how: Compress = {}): Uint8Array {
  const { history, ...options } = how
  const bytes = deflateRawSync(bytesOf(message), {
    ...options,
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(history === undefined || history.length === 0 ? {} : { dictionary: history }),
  })
  if (bytes.subarray(-4).toString('hex') !== '0000ffff')
    throw new Error('no empty block at the end')
  return Uint8Array.from(bytes.subarray(0, -4))
}

/** With BFINAL set, and a byte behind it (section 7.2.3.4). */
export function compressFinal(message: string | Uint8Array): Uint8Array {
  return Uint8Array.from([...deflateRawSync(bytesOf(message)), 0])
}
