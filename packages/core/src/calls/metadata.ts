// Metadata: the META map in front of a payload.
//   in  -> a user's metadata and Callbox's own keys; or bytes of a peer
//   out -> bytes; or a frozen map without a prototype
// Keys of users are `[a-z0-9-]`, values text or bytes. Keys with a colon in front are Callbox's own.

import { RpcError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { decodeValue, encodeValue } from '../codec/msgpack-value.ts'
import type { Metadata } from './types.ts'

/** Where a resumable stream starts, and the position of an item. */
export const cursorKey = ':cursor'
/** Why an item does not follow the one before it. */
const resetKey = ':reset'
/** Characters of a reset's reason: more says nothing more. */
const maxReason = 200

/** Longest key, in characters. */
const longestKey = 64

export const noMetadata: Metadata = Object.freeze(Object.create(null) as Metadata)

/** What a META map of the peer says. */
export interface ReadMetadata {
  readonly user: Metadata
  /** Undecoded: its schema is the method's. Undefined where none was sent. */
  readonly cursor: unknown
  /** Continuity with the cursor is lost at this item, and why. */
  readonly reset: string | undefined
}

/**
 * Bytes of a META map, undefined if it would be empty. Throws RpcError: `invalid_argument` for a key
 * or a value that cannot travel, `resource_exhausted` over `maxMeta` or `maxMetaEntries`.
 */
export function writeMetadata(
  user: Metadata | undefined,
  cursor: unknown,
  limits: Pick<Limits, 'maxMeta' | 'maxMetaEntries'>,
  reset?: string,
): Uint8Array | undefined {
  if (user === undefined && cursor === undefined && reset === undefined) return undefined
  const map: Record<string, unknown> = {}
  let entries = 0
  for (const [key, value] of Object.entries(user ?? {})) {
    // With `exactOptionalPropertyTypes` off, `{ trace: undefined }` compiles.
    if (value === undefined) continue
    if (!isKey(key)) throw refused('invalid_argument', 'a metadata key must match [a-z0-9-]{1,64}')
    if (typeof value !== 'string' && !(value instanceof Uint8Array))
      throw refused('invalid_argument', `metadata '${key}' is neither text nor bytes`)
    map[key] = value
    entries += 1
  }
  if (entries > limits.maxMetaEntries)
    throw refused(
      'resource_exhausted',
      `metadata has more entries than limits.maxMetaEntries (${limits.maxMetaEntries})`,
    )
  if (reset !== undefined) map[resetKey] = reset.slice(0, maxReason)
  if (cursor !== undefined) map[cursorKey] = cursor
  else if (entries === 0) return undefined
  const bytes = encodeValue(map)
  if (bytes.length > limits.maxMeta)
    throw refused('resource_exhausted', `metadata is over limits.maxMeta (${limits.maxMeta} bytes)`)
  return bytes
}

/** Reads a META map. Throws RpcError with processed `no`: the call has not begun. */
export function readMetadata(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: Limits,
): ReadMetadata {
  if (end - start > limits.maxMeta)
    throw refused('resource_exhausted', `metadata is over limits.maxMeta (${limits.maxMeta} bytes)`)
  let map: unknown
  try {
    map = decodeValue(bytes, start, end, limits)
  } catch {
    throw refused('invalid_argument', 'metadata is malformed')
  }
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw refused('invalid_argument', 'metadata is malformed')
  const entries = Object.entries(map)
  if (entries.length > limits.maxMetaEntries + 2)
    throw refused(
      'resource_exhausted',
      `metadata has more entries than limits.maxMetaEntries (${limits.maxMetaEntries})`,
    )
  const user = Object.create(null) as Record<string, string | Uint8Array>
  let cursor: unknown
  let reset: string | undefined
  for (const [key, value] of entries) {
    if (key === cursorKey) cursor = value
    else if (key === resetKey) reset = String(value).slice(0, maxReason)
    // Keys of ours that this version does not know.
    else if (key.startsWith(':')) continue
    else if (!isKey(key)) throw refused('invalid_argument', 'metadata has a key that cannot be')
    else if (typeof value === 'string' || value instanceof Uint8Array) user[key] = value
  }
  if (Object.keys(user).length > limits.maxMetaEntries)
    throw refused(
      'resource_exhausted',
      `metadata has more entries than limits.maxMetaEntries (${limits.maxMetaEntries})`,
    )
  return { user: Object.freeze(user), cursor, reset }
}

function isKey(key: string): boolean {
  return key.length <= longestKey && /^[a-z0-9-]+$/.test(key)
}

function refused(code: 'invalid_argument' | 'resource_exhausted', message: string): RpcError {
  return new RpcError(code, message, { processed: 'no' })
}
