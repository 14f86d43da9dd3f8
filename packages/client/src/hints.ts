// What a browser knows of the network and of its user: no need to wait out a pause then.
//   in  -> events of the page
//   out -> a call when an attempt to connect is worth more than the pause before it
// Elsewhere there are no such events, and nothing is listened to.

/** The part of a window that is listened to. */
export interface HintSource {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
  readonly document?:
    | {
        readonly visibilityState?: string
        addEventListener(type: string, listener: () => void): void
        removeEventListener(type: string, listener: () => void): void
      }
    | undefined
}

/** Calls `onHint` when the network or the page is back. The result stops that. */
export function hearHints(source: HintSource, onHint: () => void): () => void {
  const { document } = source
  if (document === undefined || source.addEventListener === undefined) return () => undefined
  const onVisibility = (): void => {
    if (document.visibilityState === 'visible') onHint()
  }
  source.addEventListener('online', onHint)
  source.addEventListener('pageshow', onHint)
  document.addEventListener('visibilitychange', onVisibility)
  return () => {
    source.removeEventListener?.('online', onHint)
    source.removeEventListener?.('pageshow', onHint)
    document.removeEventListener('visibilitychange', onVisibility)
  }
}
