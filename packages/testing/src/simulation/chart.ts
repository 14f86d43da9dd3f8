// A run as a picture: who sent which frame to whom, and what happened in between.
//   in  -> frames, by `FrameRecorder`; notes of whoever has some
//   out -> lines of text, a column for each host

import type { LineEnd, LineTap } from './line.ts'
import { Flags, frameOf, Frames } from './wire-frame.ts'

/** One line of a chart: a note of one host, or an arrow from one to another. */
export interface ChartRow {
  readonly atMs: number
  readonly from: string
  readonly to?: string | undefined
  readonly text: string
}

const names: Readonly<Record<number, string>> = {
  0x01: 'HELLO',
  0x02: 'WELCOME',
  0x03: 'PING',
  0x04: 'PONG',
  0x05: 'ACK',
  0x06: 'GOAWAY',
  0x07: 'LIMITS',
  0x08: 'AUTH',
  [Frames.Request]: 'REQUEST',
  [Frames.Data]: 'DATA',
  [Frames.End]: 'END',
  [Frames.Error]: 'ERROR',
  [Frames.Cancel]: 'CANCEL',
  [Frames.Credit]: 'CREDIT',
  [Frames.Notify]: 'NOTIFY',
}

/** What a frame is, in a few words. */
export function nameOfFrame(bytes: Uint8Array): string {
  const { type, flags, id, credit } = frameOf(bytes)
  const name = names[type] ?? `type ${type}`
  if (type < Frames.Request) return name
  const more = (flags & Flags.More) !== 0 ? '+' : ''
  const end = type !== Frames.End && (flags & Flags.End) !== 0 ? '|END' : ''
  const bytesOf = type === Frames.Credit ? credit : bytes.length
  return `${name}${end}${more} #${id} (${bytesOf})`
}

interface Written {
  readonly atMs: number
  readonly end: LineEnd
  readonly text: string
  arrivedMs: number
}

/** Remembers every frame; a tap, before another. */
export class FrameRecorder implements LineTap {
  private readonly written: Written[] = []
  private readonly nowMs: () => number
  private readonly next: LineTap

  constructor(nowMs: () => number, next: LineTap = {}) {
    this.nowMs = nowMs
    this.next = next
  }

  onWrite(end: LineEnd, frame: Uint8Array): void {
    this.written.push({ atMs: this.nowMs(), end, text: nameOfFrame(frame), arrivedMs: -1 })
    this.next.onWrite?.(end, frame)
  }

  onFrame(end: LineEnd, frame: Uint8Array): void {
    const sent = this.written.find(
      (one) => one.arrivedMs < 0 && one.end.line === end.line && one.end.side !== end.side,
    )
    if (sent !== undefined) sent.arrivedMs = this.nowMs()
    this.next.onFrame?.(end, frame)
  }

  onClose(end: LineEnd, reason: string): void {
    this.next.onClose?.(end, reason)
  }

  rows(): ChartRow[] {
    return this.written.map(({ atMs, end, text, arrivedMs }) => {
      const other = end.side === 'near' ? end.line.far : end.line.near
      const fate = arrivedMs < 0 ? 'lost' : `+${(arrivedMs - atMs).toFixed(0)} ms`
      const row = { from: end.owner.name, to: other.owner.name }
      return { ...row, atMs, text: `${text} on line ${end.line.ordinal}, ${fate}` }
    })
  }
}

const columnWidth = 26

/** The rows in the order of time, a column for each host that is named. */
export function chartOf(rows: readonly ChartRow[]): string {
  const hosts = [
    ...new Set(rows.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]))),
  ]
    .filter((name) => name !== '-')
    .sort()
  const at = (name: string): number => Math.max(0, hosts.indexOf(name))
  const head = `${' '.repeat(12)}${hosts.map((name) => name.padEnd(columnWidth)).join('')}`
  const lines = [...rows]
    .sort((a, b) => a.atMs - b.atMs)
    .map(
      ({ atMs, from, to, text }) =>
        `${atMs.toFixed(1).padStart(10)}  ${lineOf(at, from, to, text, hosts.length)}`,
    )
  return [head.trimEnd(), ...lines].join('\n')
}

function lineOf(
  at: (name: string) => number,
  from: string,
  to: string | undefined,
  text: string,
  hosts: number,
): string {
  if (from === '-') return `== ${text}`
  const lanes = Array.from({ length: hosts }, () => `|${' '.repeat(columnWidth - 1)}`).join('')
  if (to === undefined) {
    const start = at(from) * columnWidth
    return `${lanes.slice(0, start)}* ${text}`
  }
  const [left, right] = [Math.min(at(from), at(to)), Math.max(at(from), at(to))]
  const width = (right - left) * columnWidth - 1
  const arrow = at(from) < at(to) ? `${'-'.repeat(width - 1)}>` : `<${'-'.repeat(width - 1)}`
  return `${lanes.slice(0, left * columnWidth)}|${arrow}|  ${text}`
}
