// Text out of bytes of a peer, fast where it is short or ASCII.
//   in  -> a range of bytes
//   out -> text, or undefined where the bytes are not UTF-8 (RFC 3629)
// Core compiles without the types of any platform: what it uses is looked up once.

interface Platform {
  readonly TextDecoder: new (
    label: string,
    options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array): string }
  readonly Buffer?: {
    readonly prototype: {
      latin1Slice?: (this: Uint8Array, start: number, end: number) => string
    }
  }
}

// Every runtime has TextDecoder; Node, Bun and Deno have Buffer.
const platform = globalThis as unknown as Platform
// A U+FEFF in front is part of the text.
const utf8 = new platform.TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const latin1 = platform.Buffer?.prototype.latin1Slice

// Bytes up to which each is the fastest on Node 20: for 16 bytes 48, 60 and 116 ns, for 64 bytes
// 183, 104 and 108 ns, for 16 KiB TextDecoder by a factor of 15.
const short = 16
const medium = 64

/** The text of `bytes[start, end)`; undefined if that is not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const size = end - start
  if (size > short) return decodeLong(bytes, start, end)
  let all = 0
  for (let at = start; at < end; at += 1) all |= bytes[at]!
  return all < 0x80 ? shortAscii(bytes, start, size) : decodeUtf8(bytes, start, end)
}

/** One call for eight characters: joined one by one, each would be a string of its own. */
function shortAscii(bytes: Uint8Array, start: number, size: number): string {
  let text = ''
  let at = start
  let left = size
  for (; left >= 8; left -= 8, at += 8)
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    )
  if (left >= 4) {
    text += String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!)
    at += 4
    left -= 4
  }
  switch (left) {
    case 3:
      return text + String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!)
    case 2:
      return text + String.fromCharCode(bytes[at]!, bytes[at + 1]!)
    case 1:
      return text + String.fromCharCode(bytes[at]!)
    default:
      return text
  }
}

function decodeLong(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (latin1 !== undefined && end - start <= medium && isAscii(bytes, start, end))
    return latin1.call(bytes, start, end)
  return decodeUtf8(bytes, start, end)
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at]! >= 0x80) return false
  return true
}

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return utf8.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}
