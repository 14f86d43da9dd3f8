// The AbortController of the platform, without the types of any platform.
//   in  -> nothing
//   out -> a controller, made when somebody first reads a signal: making one costs more than a call

import type { AbortSignalLike } from '../link/link.ts'

export interface AbortControllerLike {
  readonly signal: AbortSignalLike
  abort(reason?: unknown): void
}

/** Node 15, browsers, Bun and Deno all have it. */
const platform = globalThis as unknown as {
  readonly AbortController: new () => AbortControllerLike
}

export function newAbortController(): AbortControllerLike {
  return new platform.AbortController()
}
