// A host that breaks the rules of the protocol: what it does to the frames that it sends.
//   in  -> frames of an honest session
//   out -> the same frames changed, repeated, out of order, fewer, or older ones again
// Honest peers alone do not show that a check is there.

import type { LineEnd, Tamper } from './line.ts'
import type { Random } from './random.ts'

export type HostileHabit =
  /** Single bits of headers and fields are wrong. */
  | 'mutate'
  /** Frames come twice. */
  | 'repeat'
  /** Frames change places. */
  | 'reorder'
  /** Frames are missing. */
  | 'omit'
  /** Positions in ACK, PING and PONG are not true. */
  | 'lie'
  /** After a resume frames of the old link come again. */
  | 'replay'
  /** CREDIT is more than it should be, or nothing. */
  | 'overgrant'

export const hostileHabits: readonly HostileHabit[] = [
  'mutate',
  'repeat',
  'reorder',
  'omit',
  'lie',
  'replay',
  'overgrant',
]

const firstStreamType = 0x10
const Request = 0x10
const Credit = 0x15
const mostKept = 64
/** One frame in so many is touched. */
const rarity = 12

/**
 * A tamper with one habit. It begins after the handshake, whose frames it leaves alone. `onOffence` is
 * told of what no peer may let pass: its link has to end.
 */
export function hostileTamper(
  habit: HostileHabit,
  random: Random,
  onOffence: (end: LineEnd) => void = () => undefined,
): Tamper {
  const state: HostileState = {
    random,
    kept: [],
    waiting: undefined,
    line: undefined,
    begun: 0,
    onOffence,
  }
  return (end, frame) => {
    if (state.line !== end.line.ordinal) {
      state.line = end.line.ordinal
      state.begun = 0
      state.waiting = undefined
    }
    state.begun += 1
    const out = habits[habit](state, end, frame)
    if (frame[0]! >= firstStreamType && state.kept.length < mostKept) state.kept.push(frame)
    return out
  }
}

interface HostileState {
  readonly random: Random
  readonly kept: Uint8Array[]
  waiting: Uint8Array | undefined
  line: number | undefined
  begun: number
  readonly onOffence: (end: LineEnd) => void
}

type Habit = (state: HostileState, end: LineEnd, frame: Uint8Array) => readonly Uint8Array[]

const now = ({ random }: HostileState): boolean => random.integer(1, rarity) === 1

const habits: Readonly<Record<HostileHabit, Habit>> = {
  mutate: (state, _end, frame) => {
    if (state.begun === 1 || !now(state)) return [frame]
    const changed = frame.slice()
    const at = state.random.integer(0, Math.min(changed.length, 12) - 1)
    changed[at]! ^= 1 << state.random.integer(0, 7)
    return [changed]
  },
  repeat: (state, end, frame) => {
    if (frame[0]! < firstStreamType || !now(state)) return [frame]
    if (frame[0] === Request) state.onOffence(end)
    return [frame, frame]
  },
  reorder: (state, _end, frame) => {
    if (frame[0]! < firstStreamType) return [frame]
    const { waiting } = state
    if (waiting !== undefined) {
      state.waiting = undefined
      return [frame, waiting]
    }
    if (!now(state)) return [frame]
    state.waiting = frame
    return []
  },
  omit: (state, _end, frame) => (frame[0]! >= firstStreamType && now(state) ? [] : [frame]),
  lie: (state, end, frame) => {
    if (frame[0]! < 0x03 || frame[0]! > 0x05 || !state.random.chance(0.5)) return [frame]
    const changed = frame.slice()
    // Ahead of what was sent, or back to the start.
    const ahead = state.random.chance(0.5)
    changed.fill(ahead ? 0x40 : 0, changed.length - 4, changed.length - 3)
    if (ahead) state.onOffence(end)
    changed[changed.length - 1] = state.random.integer(0, 255)
    return [changed]
  },
  replay: (state, _end, frame) => {
    // The third frame of a link: the handshake is through.
    if (state.begun !== 3 || state.kept.length === 0) return [frame]
    return [...state.kept.slice(-state.random.integer(1, 8)), frame]
  },
  overgrant: (state, _end, frame) => {
    if (frame[0] !== Credit || !state.random.chance(0.3)) return [frame]
    const changed = frame.slice()
    changed.fill(state.random.chance(0.5) ? 0 : 0xff, 6)
    return [changed]
  },
}
