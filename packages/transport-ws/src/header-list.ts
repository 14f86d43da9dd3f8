// Lists in HTTP headers (RFC 9110, section 5.6.1), in one pass and without regular expressions.
//   in  -> the value of a header, hostile
//   out -> its entries, or undefined where the grammar is broken

import type { ExtensionParameter } from './extension.ts'

export interface ListedExtension {
  readonly name: string
  readonly parameters: readonly ExtensionParameter[]
}

/** Entries in lower case, whatever they look like: for Upgrade and Connection, where others speak too. */
export function wordsOf(header: string | undefined): readonly string[] {
  return (header ?? '').split(',').map((word) => word.trim().toLowerCase())
}

/** `1#token`: names of subprotocols. Undefined unless all are tokens, none twice, at least one. */
export function tokensOf(header: string): readonly string[] | undefined {
  const reader = new Reader(header)
  const found = new Set<string>()
  do {
    reader.skipSpace()
    const token = reader.token()
    // Empty entries are allowed to whoever writes a list by joining (RFC 9110, section 5.6.1.2).
    if (token !== '') {
      if (found.has(token)) return undefined
      found.add(token)
    }
    reader.skipSpace()
  } while (reader.take(','))
  return reader.done && found.size > 0 ? [...found] : undefined
}

/** RFC 6455, section 9.1: names with parameters, whose values may be quoted tokens. */
export function extensionsOf(header: string): readonly ListedExtension[] | undefined {
  const reader = new Reader(header)
  const found: ListedExtension[] = []
  do {
    reader.skipSpace()
    const name = reader.token()
    if (name === '') return undefined
    const parameters: ExtensionParameter[] = []
    reader.skipSpace()
    while (reader.take(';')) {
      const parameter = parameterOf(reader)
      if (parameter === undefined) return undefined
      parameters.push(parameter)
      reader.skipSpace()
    }
    found.push({ name, parameters })
  } while (reader.take(','))
  return reader.done ? found : undefined
}

function parameterOf(reader: Reader): ExtensionParameter | undefined {
  reader.skipSpace()
  const name = reader.token()
  if (name === '') return undefined
  reader.skipSpace()
  if (!reader.take('=')) return { name, value: undefined }
  reader.skipSpace()
  const value = reader.take('"') ? reader.quotedToken() : reader.token()
  return value === '' ? undefined : { name, value }
}

class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  get done(): boolean {
    return this.at === this.text.length
  }

  skipSpace(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') this.at += 1
  }

  take(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at += 1
    return true
  }

  /** Empty where there is none. */
  token(): string {
    const from = this.at
    while (isTokenCode(this.text.charCodeAt(this.at))) this.at += 1
    return this.text.slice(from, this.at)
  }

  /** After the opening quote. Section 9.1: unquoted it must be a token again. Empty where it is not. */
  quotedToken(): string {
    let value = ''
    while (!this.done && this.text[this.at] !== '"') {
      if (this.text[this.at] === '\\') this.at += 1
      if (!isTokenCode(this.text.charCodeAt(this.at))) return ''
      value += this.text[this.at]
      this.at += 1
    }
    return this.take('"') ? value : ''
  }
}

/** tchar of RFC 9110, section 5.6.2. Past the end the code is NaN, which is none. */
export function isTokenCode(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true
  if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) return code < 0x80
  return marks.has(code)
}

const marks: ReadonlySet<number> = new Set(Buffer.from("!#$%&'*+-.^_`|~"))

export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (!isTokenCode(text.charCodeAt(at))) return false
  return text !== ''
}
