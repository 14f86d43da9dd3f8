// Chance that can be repeated: one generator for each purpose, all from one seed.
//   in  -> a seed and the name of a purpose
//   out -> numbers, choices
// Who draws for one purpose does not move the draws of another: a fault can be taken out of a run,
// and the network goes on rolling the same dice.

export class Random {
  private state: number
  private readonly seed: number

  /** `purpose` tells generators of one seed apart. */
  constructor(seed: number, purpose: string = '') {
    this.seed = hashText(purpose, seed >>> 0)
    this.state = this.seed
  }

  /** Another generator, which depends on the seed and on the names only, never on what was drawn. */
  fork(purpose: string): Random {
    return new Random(this.seed, purpose)
  }

  /** A number in [0, 1): mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A number in [from, to). */
  between(from: number, to: number): number {
    return from + this.next() * (to - from)
  }

  /** An integer from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!
  }

  /** The list in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const all = [...list]
    for (let at = all.length - 1; at > 0; at -= 1) {
      const other = this.integer(0, at)
      ;[all[at], all[other]] = [all[other]!, all[at]!]
    }
    return all
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256))
  }
}

/** FNV-1a over the UTF-16 code units, 32 bits, with an avalanche at the end. */
export function hashText(text: string, seed: number = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let at = 0; at < text.length; at += 1)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b)
  return (hash ^ (hash >>> 16)) >>> 0
}
