// Says whether a pattern can be matched in bounded time, without running it.
//   in  -> a regular expression, and how long the text may be
//   out -> why not, with the fragment that is to blame, or undefined
// A backtracking matcher is fast where the next character decides what to do. Where it does not, each
// way may be tried: this file counts these ways, as a power of two, and rounds up. `(a+)+`, `(a|a)*`
// and `(\w+\s?)*` have more than 2^256 of them; `[a-z]+(-[a-z]+)*` has one.

import { everything, overlap, readRegExp, type Chars, type Part } from './lint-regexp.ts'

/** 65,536 ways over 256 characters take at most some 50 ms. */
const mostWays = 16

/** For which a loop without an upper bound counts. */
const manyRounds = 256

/** Above this, what is repeated counts as a loop in the text for authors. */
const manyTimes = 10

/**
 * Why a pattern may take long for text of at most `maxLength` characters, or undefined. With
 * `maxLength` Infinity nothing but a pattern with one way passes.
 */
export function slowPattern(pattern: RegExp, maxLength: number): string | undefined {
  let tree: Part
  try {
    tree = readRegExp(pattern.source, pattern.flags)
  } catch {
    return 'is not understood'
  }
  const found = new Ways(maxLength, pattern.multiline)
  found.count(tree, [], 1)
  if (found.reference) return 'has a back-reference, whose cost has no bound'
  // Tried from every character on.
  const starts = found.anchored(tree) ? 0 : Math.log2(maxLength)
  if (found.sum + found.looks + starts <= (Number.isFinite(maxLength) ? mostWays : 0))
    return undefined
  const culprit = pattern.source.slice(...found.worstPlace)
  if (found.sum + found.looks === 0) return 'starts anywhere in the text: begin it with ^'
  if (found.looped) return `matches the same text in exponentially many ways by ${culprit}`
  const anchor = starts > 0 ? ', from any character on: begin it with ^' : ''
  return `matches the same text in too many ways by ${culprit}${anchor}`
}

class Ways {
  /** Base 2 logarithm of the number of ways. */
  sum = 0
  reference = false
  looped = false
  worstPlace: [from: number, to: number] = [0, 0]
  /** The same of the slowest look-around. */
  looks = 0
  private worst = 0
  /** The outermost one around what is counted. */
  private loop: Part | undefined
  private readonly maxLength: number
  private readonly multiline: boolean

  constructor(maxLength: number, multiline: boolean) {
    this.maxLength = maxLength
    this.multiline = multiline
  }

  /** `next` may follow the part; `times` says how often a match may pass it. */
  count(part: Part, next: Chars, times: number): void {
    const outermost = this.loop === undefined && part.kind === 'repeat' && part.max >= manyTimes
    if (outermost) this.loop = part
    this.countPart(part, next, times)
    if (outermost) this.loop = undefined
  }

  private countPart(part: Part, next: Chars, times: number): void {
    if (part.kind === 'reference') this.reference = true
    if (part.kind === 'look') this.countLook(part, times)
    if (part.kind === 'sequence') {
      let after = next
      for (const one of part.parts.toReversed()) {
        this.count(one, after, times)
        after = this.entry(one, after)
      }
    }
    if (part.kind === 'choice') this.countChoice(part, part.parts, next, times)
    if (part.kind === 'repeat') this.countRepeat(part, next, times)
  }

  /** Never entered again once it is through: of several at one place, the slowest one counts. */
  private countLook(part: Part & { kind: 'look' }, times: number): void {
    const outside = this.sum
    this.sum = 0
    if (times > 1 && hasLoop(part.body)) this.add(part, Math.log2(this.maxLength), 1)
    this.count(part.body, [], times)
    this.looks = Math.max(this.looks, this.sum)
    this.sum = outside
  }

  private countChoice(part: Part, branches: readonly Part[], next: Chars, times: number): void {
    const entries = branches.map((branch) => this.entry(branch, next))
    const alike = entries.filter((one, at) =>
      entries.some((other, index) => index !== at && overlap(one, other)),
    )
    if (alike.length > 1) this.add(part, Math.log2(alike.length), times)
    for (const branch of branches) this.count(branch, next, times)
  }

  private countRepeat(part: Part & { kind: 'repeat' }, next: Chars, times: number): void {
    const { body, min } = part
    const max = Math.min(part.max, this.maxLength)
    const again = this.entry(body, [])
    // One more round or on to the next part: the character in front does not decide.
    if (max > min && overlap(again, next)) this.add(part, Math.log2(Math.max(max - min, 2)), times)
    // However short the text: nobody wants exponentially many ways.
    const rounds = Math.min(part.max, manyRounds)
    this.count(body, max > 1 ? [...next, ...again] : next, times * Math.max(rounds, 1))
  }

  /** The characters with which a part, and what follows it, may begin. */
  private entry(part: Part, next: Chars): Chars {
    switch (part.kind) {
      case 'chars':
        return part.chars
      case 'reference':
        return everything
      case 'end':
        return this.multiline ? next : []
      case 'sequence':
        return part.parts.reduceRight((after, one) => this.entry(one, after), next)
      case 'choice':
        return part.parts.flatMap((branch) => this.entry(branch, next))
      case 'repeat':
        return [...this.entry(part.body, next), ...(part.min === 0 ? next : [])]
      default:
        return next
    }
  }

  /** True if every match begins at the beginning of the text. */
  anchored(part: Part): boolean {
    if (part.kind === 'start') return !this.multiline
    if (part.kind === 'sequence') return part.parts[0] !== undefined && this.anchored(part.parts[0])
    return part.kind === 'choice' && part.parts.every((branch) => this.anchored(branch))
  }

  private add(part: Part, ways: number, times: number): void {
    const more = ways * times
    this.sum += more
    if (more <= this.worst) return
    this.worst = more
    this.looped = times >= manyTimes
    const culprit = this.looped ? (this.loop ?? part) : part
    this.worstPlace = [culprit.from, culprit.to]
  }
}

function hasLoop(part: Part): boolean {
  if (part.kind === 'repeat') return part.max > manyTimes || hasLoop(part.body)
  if (part.kind === 'look') return hasLoop(part.body)
  return 'parts' in part && part.parts.some(hasLoop)
}
