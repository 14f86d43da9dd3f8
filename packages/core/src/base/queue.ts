// First in, first out, without an allocation per entry.
//   in  -> entries
//   out -> the same entries, in order
// Bounds nothing by itself: whoever fills it compares `length` with a limit first.

const firstCapacity = 16

export class Queue<T> {
  private slots: (T | undefined)[] = []
  private head = 0
  private count = 0

  get length(): number {
    return this.count
  }

  push(entry: T): void {
    if (this.count === this.slots.length) this.grow()
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = entry
    this.count += 1
  }

  peek(): T | undefined {
    return this.count === 0 ? undefined : this.slots[this.head]
  }

  shift(): T | undefined {
    if (this.count === 0) return undefined
    const entry = this.slots[this.head]
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.count -= 1
    // After a burst the memory goes back.
    if (this.count === 0 && this.slots.length > firstCapacity) this.clear()
    return entry
  }

  clear(): void {
    this.slots = []
    this.head = 0
    this.count = 0
  }

  private grow(): void {
    const capacity = Math.max(firstCapacity, this.slots.length * 2)
    const slots = new Array<T | undefined>(capacity).fill(undefined)
    for (let index = 0; index < this.count; index += 1)
      slots[index] = this.slots[(this.head + index) & (this.slots.length - 1)]
    this.slots = slots
    this.head = 0
  }
}
