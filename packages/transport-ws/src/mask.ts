// Masking (RFC 6455, section 5.3): every byte of a client's payload, exclusive-or with a key.
//   in  -> a range, a key
//   out -> the same range, changed in place; masking twice gives the bytes back

/** Below this a loop over bytes is faster than making a view of words. */
const wordsFrom = 64

/**
 * `key` is the four bytes as a big-endian number; `offset` how many bytes of the payload came
 * before this range, for payloads that arrive in pieces.
 */
export function mask(bytes: Uint8Array, start: number, end: number, key: number, offset = 0): void {
  const shift = (offset & 3) * 8
  const turned = shift === 0 ? key : (key << shift) | (key >>> (32 - shift))
  const k0 = turned >>> 24
  const k1 = (turned >>> 16) & 0xff
  const k2 = (turned >>> 8) & 0xff
  const k3 = turned & 0xff
  let at = start
  if (end - start >= wordsFrom) {
    // Words must be aligned in memory: the first bytes go one by one, turning the key.
    while (((bytes.byteOffset + at) & 3) !== 0) {
      bytes[at] = bytes[at]! ^ byteOf(k0, k1, k2, k3, at - start)
      at += 1
    }
    const lead = at - start
    const word = wordOf(
      byteOf(k0, k1, k2, k3, lead),
      byteOf(k0, k1, k2, k3, lead + 1),
      byteOf(k0, k1, k2, k3, lead + 2),
      byteOf(k0, k1, k2, k3, lead + 3),
    )
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2)
    for (let index = 0; index < words.length; index += 1) words[index] = words[index]! ^ word
    at += words.length * 4
  }
  for (; at < end; at += 1) bytes[at] = bytes[at]! ^ byteOf(k0, k1, k2, k3, at - start)
}

function byteOf(k0: number, k1: number, k2: number, k3: number, index: number): number {
  const at = index & 3
  return at === 0 ? k0 : at === 1 ? k1 : at === 2 ? k2 : k3
}

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Four bytes in memory order, as a word of this machine. */
function wordOf(a: number, b: number, c: number, d: number): number {
  return littleEndian
    ? (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
    : ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
