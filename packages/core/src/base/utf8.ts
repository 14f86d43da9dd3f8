// UTF-8 of short names, with nothing but the language: core compiles without DOM and Node types.
//   in  -> well-formed text, or bytes
//   out -> bytes, or text
// For method names only; payloads are the codec's.

/** Throws URIError for lone surrogates, which `contract()` refuses in names. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const escaped = encodeURIComponent(text)
  const bytes: number[] = []
  for (let at = 0; at < escaped.length; at += 1) {
    if (escaped.charCodeAt(at) === 0x25) {
      bytes.push(Number.parseInt(escaped.slice(at + 1, at + 3), 16))
      at += 2
    } else bytes.push(escaped.charCodeAt(at))
  }
  return Uint8Array.from(bytes)
}

/** Undefined for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  let ascii = true
  let text = ''
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!
    if (byte < 0x80 && byte !== 0x25) text += String.fromCharCode(byte)
    else {
      ascii = false
      text += `%${byte.toString(16).padStart(2, '0')}`
    }
  }
  if (ascii) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
