// Reads the source of a regular expression into a tree, for the contract linter.
//   in  -> source and flags of a pattern that the engine has accepted
//   out -> its parts, each with the characters that it takes and where it stands in the source
// Runs no pattern. Characters are rounded up, never down: `\p{L}` counts as every character.

/** Code points as pairs of first and last, in any order. */
export type Chars = readonly (readonly [first: number, last: number])[]

interface Place {
  readonly from: number
  readonly to: number
}

export type Part = Place &
  (
    | { readonly kind: 'chars'; readonly chars: Chars }
    // Of no width: `^`, `$`, and `\b` or `\B`.
    | { readonly kind: 'start' | 'end' | 'edge' }
    | { readonly kind: 'look'; readonly body: Part }
    | { readonly kind: 'reference' }
    | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Part[] }
    | {
        readonly kind: 'repeat'
        readonly body: Part
        readonly min: number
        readonly max: number
      }
  )

const last = 0x10ffff
export const everything: Chars = [[0, last]]
const digits: Chars = [[0x30, 0x39]]
const word: Chars = [...digits, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]
const space: Chars = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]
const lineEnds: Chars = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]
const controls: ReadonlyMap<string, number> = new Map([
  ['t', 0x09],
  ['n', 0x0a],
  ['v', 0x0b],
  ['f', 0x0c],
  ['r', 0x0d],
  ['0', 0x00],
])

/** The tree of a pattern. Throws SyntaxError for what the linter cannot read, such as flag `v`. */
export function readRegExp(source: string, flags: string): Part {
  if (flags.includes('v')) throw new SyntaxError('flag v is not read')
  return new Reader(source, flags).read()
}

export function overlap(a: Chars, b: Chars): boolean {
  return a.some(([first, end]) => b.some(([from, to]) => first <= to && from <= end))
}

class Reader {
  private at = 0
  private readonly source: string
  private readonly ignoreCase: boolean
  private readonly unicode: boolean
  private readonly dot: Chars

  constructor(source: string, flags: string) {
    this.source = source
    this.ignoreCase = flags.includes('i')
    this.unicode = flags.includes('u')
    this.dot = flags.includes('s') ? everything : complement(lineEnds)
  }

  read(): Part {
    const part = this.choice()
    if (this.at < this.source.length) throw new SyntaxError(`not read beyond ${this.at}`)
    return part
  }

  private choice(): Part {
    const from = this.at
    const parts = [this.sequence()]
    while (this.take('|')) parts.push(this.sequence())
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts, from, to: this.at }
  }

  private sequence(): Part {
    const from = this.at
    const parts: Part[] = []
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]!))
      parts.push(this.repeated(this.one()))
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts, from, to: this.at }
  }

  private repeated(body: Part): Part {
    const found = this.match(/(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/y)
    if (found === undefined) return body
    const [text, least = '', comma, most = ''] = found
    const place = { from: body.from, to: this.at }
    if (text[0] !== '{')
      return {
        kind: 'repeat',
        body,
        min: text[0] === '+' ? 1 : 0,
        max: text[0] === '?' ? 1 : Infinity,
        ...place,
      }
    const max = comma === '' ? Number(least) : most === '' ? Infinity : Number(most)
    return { kind: 'repeat', body, min: Number(least), max, ...place }
  }

  private one(): Part {
    const from = this.at
    if (this.take('(')) return this.group(from)
    if (this.take('[')) return this.class(from)
    if (this.take('\\')) return this.escape(from)
    const first = this.character()
    const place = { from, to: this.at }
    if (first === 0x5e) return { kind: 'start', ...place }
    if (first === 0x24) return { kind: 'end', ...place }
    if (first === 0x2e) return { kind: 'chars', chars: this.dot, ...place }
    return this.chars(single(first), from)
  }

  private group(from: number): Part {
    const looks = this.match(/\?<?[=!]/y) !== undefined
    if (!looks && this.match(/\?(?::|<[^>]+>)/y) === undefined && this.source[this.at] === '?')
      throw new SyntaxError(`a group at ${from} is not read`)
    const body = this.choice()
    this.take(')')
    return { ...(looks ? { kind: 'look', body } : body), from, to: this.at }
  }

  private class(from: number): Part {
    const negated = this.take('^')
    let chars: Chars = []
    let exact = true
    const add = (more: Chars | undefined): number | undefined => {
      exact &&= more !== undefined
      chars = [...chars, ...(more ?? everything)]
      return more?.length === 1 && more[0]![0] === more[0]![1] ? more[0]![0] : undefined
    }
    while (this.at < this.source.length && !this.take(']')) {
      const first = add(this.member())
      if (first === undefined || !/^-[^\]]/.test(this.source.slice(this.at, this.at + 2))) continue
      this.at += 1
      const end = add(this.member())
      if (end !== undefined) add([[first, end]])
    }
    // What `\p` leaves out is not known, so neither is what its negation takes.
    return this.chars(!negated ? chars : exact ? complement(chars) : everything, from)
  }

  /** One member of a class; undefined for a property of Unicode. */
  private member(): Chars | undefined {
    if (!this.take('\\')) return single(this.character())
    return this.match(/b/y) === undefined ? this.escaped() : single(0x08)
  }

  private escape(from: number): Part {
    if (this.match(/b/iy) !== undefined) return { kind: 'edge', from, to: this.at }
    if (this.match(/[1-9]\d*|k<[^>]*>/y) !== undefined)
      return { kind: 'reference', from, to: this.at }
    return this.chars(this.escaped() ?? everything, from)
  }

  /** What follows a backslash; undefined for a property of Unicode. */
  private escaped(): Chars | undefined {
    if (this.match(/p\{[^}]*\}/iy) !== undefined) return undefined
    const hex = this.match(/x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]+)\}/iy)
    if (hex !== undefined) return single(Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '', 16))
    const control = this.match(/c([a-z])/iy)
    if (control !== undefined) return single(control[1]!.charCodeAt(0) % 32)
    const letter = this.source[this.at] ?? ''
    const set = { d: digits, w: word, s: space }[letter.toLowerCase()]
    const named = controls.get(letter)
    const code = this.character()
    if (set !== undefined) return letter === letter.toLowerCase() ? set : complement(set)
    return single(named ?? code)
  }

  private chars(chars: Chars, from: number): Part {
    return {
      kind: 'chars',
      chars: this.ignoreCase ? bothCases(chars) : chars,
      from,
      to: this.at,
    }
  }

  private character(): number {
    const code = this.unicode ? this.source.codePointAt(this.at) : this.source.charCodeAt(this.at)
    if (code === undefined || Number.isNaN(code)) throw new SyntaxError('the pattern ends early')
    this.at += code > 0xffff ? 2 : 1
    return code
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  /** `token` is sticky. */
  private match(token: RegExp): RegExpExecArray | undefined {
    token.lastIndex = this.at
    const found = token.exec(this.source)
    if (found === null) return undefined
    this.at += found[0].length
    return found
  }
}

function single(code: number): Chars {
  return [[code, code]]
}

function complement(chars: Chars): Chars {
  const result: (readonly [number, number])[] = []
  let next = 0
  for (const [first, end] of chars.toSorted((a, b) => a[0] - b[0])) {
    if (first > next) result.push([next, first - 1])
    next = Math.max(next, end + 1)
  }
  return next > last ? result : [...result, [next, last]]
}

/** With flag `i`. Beyond ASCII, where k and s have relatives, any character may equal any other. */
function bothCases(chars: Chars): Chars {
  const [upper, lower]: readonly Chars[] = [[[0x41, 0x5a]], [[0x61, 0x7a]]]
  const within = (range: Chars, shift: number): Chars =>
    chars.flatMap(([first, end]) => {
      const [from, to] = [Math.max(first, range[0]![0]), Math.min(end, range[0]![1])]
      return from <= to ? [[from + shift, to + shift] as const] : []
    })
  const ks: Chars = [0x4b, 0x53, 0x6b, 0x73].map((code) => [code, code] as const)
  const foreign: Chars = [[0x80, last]]
  const more = overlap(chars, foreign) || overlap(chars, ks) ? [...foreign, ...ks] : []
  return [...chars, ...within(upper!, 0x20), ...within(lower!, -0x20), ...more]
}
