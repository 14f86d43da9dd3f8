// Where encoders write: one slab that frames are laid into behind each other. A frame that does not
// fit gets a buffer of its own size.
//   in  -> bytes of one frame at a time, between `begin` and `finish`
//   out -> the frame as a range of a buffer, with room in front for the link
// A slab is never reused: what was handed out stays as it is until the last frame in it is dropped.

/** Small enough to be given back soon when a connection rests, large enough for 100 small frames. */
const slabBytes = 16_384

export class ByteSink {
  /** The buffer being written. Changes when it grows: read it again after every `reserve`. */
  buffer: Uint8Array<ArrayBuffer>
  /** Where the next byte goes. */
  position = 0
  /** Set by whoever is in the middle of a frame. */
  busy = false
  /** Where the frame begun last starts. */
  start = 0
  /** Bytes in front of it that belong to it as well: for its head, and for the link. */
  private room = 0

  constructor() {
    this.buffer = new Uint8Array(slabBytes)
  }

  /** Starts a frame with `room` bytes in front of it that are not part of it. */
  begin(room: number): void {
    if (this.buffer.length - this.position < room + 512) {
      this.buffer = new Uint8Array(slabBytes)
      this.position = 0
    }
    this.room = room
    this.position += room
    this.start = this.position
  }

  /** Makes sure that `count` bytes fit at `position`, moving the frame to a larger buffer if not. */
  reserve(count: number): void {
    const needed = this.position + count
    if (needed <= this.buffer.length) return
    // The frame moves with everything since the room in front of it; what was finished stays.
    const from = this.start - this.room
    const used = this.position - from
    const grown = new Uint8Array(Math.max(slabBytes, used + count, 2 * used))
    grown.set(this.buffer.subarray(from, this.position))
    this.start -= from
    this.position = used
    this.buffer = grown
  }

  /** Copies `bytes` to the end of the frame. */
  append(bytes: Uint8Array): void {
    const count = bytes.length
    this.reserve(count)
    const { buffer, position } = this
    // A loop beats `set` up to about 64 bytes (no view, no call into C++).
    if (count <= 64)
      for (let index = 0; index < count; index++) buffer[position + index] = bytes[index]!
    else buffer.set(bytes, position)
    this.position = position + count
  }

  /** Forgets the frame begun last. */
  reset(): void {
    this.position = this.start
  }
}
