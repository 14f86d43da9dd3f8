// The two HTTP messages of an opening handshake, cut off the bytes they come in.
//   in  -> bytes of a connection
//   out -> the head of a request or an answer, and what is left

import type { Header, ParsedRequest } from './case.ts'

export interface Head extends ParsedRequest {
  readonly rest: Buffer
}

/** Undefined while the empty line is missing. */
export function parseHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [line = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = lines.map((one): readonly [string, string] => {
    const at = one.indexOf(':')
    return [one.slice(0, at).toLowerCase(), one.slice(at + 1).trim()]
  })
  return {
    line,
    headers,
    all: (name) => headers.filter(([key]) => key === name).map(([, value]) => value),
    rest: bytes.subarray(end + 4),
  }
}

/**
 * Good headers with changes: one with the name of another replaces it, a further one is added; a
 * value of undefined takes it out.
 */
export function merge(good: readonly Header[], changes: readonly Header[] = []): string {
  const named = new Set(changes.map(([name]) => name.toLowerCase()))
  const kept = good.filter(([name]) => !named.has(name.toLowerCase()))
  return [...kept, ...changes]
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
    .join('')
}

/** An answer is whole: by its length, its last chunk, or because it needs neither. */
export function bodyIsWhole({ line, all, rest }: Head): boolean {
  if (/^HTTP\/1\.1 (1\d\d|204|304)/.test(line)) return true
  const [length] = all('content-length')
  if (length !== undefined) return rest.length >= Number(length)
  return all('transfer-encoding').length > 0 && rest.includes('0\r\n\r\n')
}
