// Puts a message together whose bytes come in pieces.
//   in  -> ranges of chunks
//   out -> one range with all of them
// Memory grows with what has come, not with what was announced. Small pieces are copied into blocks,
// large ones are kept as they are, and everything is joined once: a copy of each byte, not more.

/** A piece from this size on is kept where it lies: a smaller one would hold a whole chunk. */
const keepFrom = 4 * 1024
const firstBlock = 512
const largestBlock = 16 * 1024

export class Assembly {
  length = 0
  private pieces: Uint8Array[] = []
  private block: Uint8Array | undefined
  private used = 0

  /** Takes `chunk[start, end)`, whose memory now is the message's. */
  add(chunk: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.length += size
    if (size < keepFrom) return this.copy(chunk, start, end)
    this.closeBlock()
    this.pieces.push(chunk.subarray(start, end))
  }

  /** All bytes, in order. The assembly is empty then. */
  take(): Uint8Array {
    this.closeBlock()
    const { pieces, length } = this
    this.pieces = []
    this.length = 0
    if (pieces.length === 1) return pieces[0]!
    // Not zeroed: every byte is written below.
    const whole = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const piece of pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }

  private copy(chunk: Uint8Array, start: number, end: number): void {
    let block = this.block ?? (this.block = Buffer.allocUnsafeSlow(firstBlock))
    let at = start
    while (at < end) {
      if (this.used === block.length) block = this.nextBlock(block)
      const until = Math.min(end, at + block.length - this.used)
      if (until - at < 16)
        for (let index = at; index < until; index += 1)
          block[this.used + index - at] = chunk[index]!
      else block.set(chunk.subarray(at, until), this.used)
      this.used += until - at
      at = until
    }
  }

  /** A small block grows by copying, a large one is put aside: few pieces, few copies. */
  private nextBlock(full: Uint8Array): Uint8Array {
    const next = Buffer.allocUnsafeSlow(Math.min(largestBlock, full.length * 2))
    if (full.length < largestBlock) next.set(full)
    else {
      this.pieces.push(full)
      this.used = 0
    }
    this.block = next
    return next
  }

  private closeBlock(): void {
    const { block, used } = this
    this.block = undefined
    this.used = 0
    if (block !== undefined && used > 0) this.pieces.push(block.subarray(0, used))
  }
}
