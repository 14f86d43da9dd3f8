// That nobody waits for a handler any more, told to whoever asks: a signal, listeners, a flag.
//   in  -> why
//   out -> an AbortSignal, made when it is first read; calls of listeners
// Creating an AbortSignal costs 3 us, more than a whole small call: most handlers never read it.

import type { RpcError } from '../base/errors.ts'
import type { AbortSignalLike } from '../link/link.ts'
import { newAbortController, type AbortControllerLike } from './abort.ts'

export class Cancellation {
  private why: RpcError | undefined
  private controller: AbortControllerLike | undefined
  private listeners: Set<() => void> | undefined

  get cancelled(): boolean {
    return this.why !== undefined
  }

  get signal(): AbortSignalLike {
    if (this.controller === undefined) {
      this.controller = newAbortController()
      if (this.why !== undefined) this.controller.abort(this.why)
    }
    return this.controller.signal
  }

  /** Calls `listener` once; the result takes it back. */
  subscribe(listener: () => void): () => void {
    this.listeners ??= new Set()
    this.listeners.add(listener)
    return () => this.listeners?.delete(listener)
  }

  cancel(why: RpcError): void {
    if (this.why !== undefined) return
    this.why = why
    this.controller?.abort(why)
    for (const listener of this.listeners ?? []) listener()
    this.listeners = undefined
  }
}
