// Finds a small part of a list that still fails: delta debugging (Zeller and Hildebrandt, 2002).
//   in  -> a list, a test that says whether a part of it still fails
//   out -> a part from which, as far as it was tried, nothing can be taken without it passing

export interface ShrinkOptions {
  /** Tests at most. Default 400. */
  readonly budget?: number | undefined
}

/** `items` must fail. Tests that reject count as passing. */
export async function shrink<T>(
  items: readonly T[],
  fails: (kept: readonly T[]) => Promise<boolean>,
  options: ShrinkOptions = {},
): Promise<readonly T[]> {
  let budget = options.budget ?? 400
  let kept = items
  const stillFails = async (part: readonly T[]): Promise<boolean> => {
    budget -= 1
    return fails(part).catch(() => false)
  }
  if (kept.length > 0 && (await stillFails([]))) return []
  for (let parts = 2; kept.length > 1 && budget > 0;) {
    const size = Math.ceil(kept.length / parts)
    let smaller: readonly T[] | undefined
    for (let from = 0; from < kept.length && budget > 0 && smaller === undefined; from += size) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)]
      if (await stillFails(rest)) smaller = rest
    }
    if (smaller !== undefined) {
      kept = smaller
      parts = Math.max(2, parts - 1)
    } else if (size === 1) break
    else parts = Math.min(kept.length, parts * 2)
  }
  return kept
}
