// The judge of a run: what may and may not have happened to each operation.
//   in  -> the operations, the trace
//   out -> violations of I1 to I5, and of the order of dispatch

import type { Violation } from '@callbox/testing/simulation'
import { padOf } from './model.ts'
import type { Operation } from './operations.ts'
import type { Entry } from './trace.ts'

/** What the oracle knows of a run besides its trace. */
export interface Circumstances {
  /** Of whom nothing is asked but that his calls end. */
  isSuspect(operation: Operation): boolean
  /** Who breaks rules calls what it likes, as often as it likes. */
  readonly anythingCalled: boolean
  /** A client has lost no session, and was not closed early. */
  keptAll(client: number): boolean
  /** Real time: nobody knows how late a timer is. */
  readonly realTime?: boolean
  /** Nothing went wrong: every call ends well unless it asks for something else. */
  readonly undisturbed: boolean
  /** No server has crashed or was drained. */
  readonly serversLived: boolean
}

/** A call settles at most so many milliseconds after its deadline. */
const lateMs = 50
const defaultTimeoutMs = 30_000
const maxAttempts = 3
const repeatable = new Set(['read', 'follow', 'fail'])

class Story {
  readonly operation: Operation
  readonly entries: Entry[] = []

  constructor(operation: Operation) {
    this.operation = operation
  }

  /** Of the caller, or of servers. */
  of(what: Entry['what'], side: 'c' | 's'): Entry[] {
    return this.entries.filter((entry) => entry.what === what && entry.who.startsWith(side))
  }

  get settlements(): Entry[] {
    return this.entries.filter(({ what }) => what === 'ok' || what === 'error')
  }
}

export function judge(
  operations: readonly Operation[],
  entries: readonly Entry[],
  circumstances: Circumstances,
): readonly Violation[] {
  const violations: Violation[] = []
  const stories = new Map(operations.map((one) => [one.op, new Story(one)]))
  for (const entry of entries) stories.get(entry.op)?.entries.push(entry)
  for (const story of stories.values()) {
    const { op, kind, client } = story.operation
    const fail = (invariant: string, text: string): void => {
      const atMs = story.settlements[0]?.atMs ?? 0
      violations.push({
        invariant,
        atMs: Math.round(atMs),
        text: `op ${op} ${kind} c${client}: ${text}`,
      })
    }
    judgeSettlement(story, circumstances, fail)
    if (!circumstances.anythingCalled || !circumstances.isSuspect(story.operation))
      judgeStarts(story, circumstances, fail)
    if (circumstances.isSuspect(story.operation)) continue
    judgeOutcome(story, fail)
    judgeItems(story, fail)
    judgeDeadlines(story, fail)
    if (circumstances.undisturbed) judgeUndisturbed(story, fail)
  }
  judgeEvents(operations, entries, circumstances, violations)
  return violations
}

type Fail = (invariant: string, text: string) => void

/** I1: exactly once, and in time. */
function judgeSettlement(story: Story, circumstances: Circumstances, fail: Fail): void {
  const { operation, settlements } = story
  const issued = story.of('issue', 'c')[0]
  if (issued === undefined) return
  if (settlements.length !== 1) return fail('I1', `settled ${settlements.length} times`)
  if (circumstances.realTime === true) return
  const end = settlements[0]!
  const streams = ['count', 'sum', 'mirror', 'follow', 'note', 'close'].includes(operation.kind)
  const timeoutMs = operation.timeoutMs ?? (streams ? Infinity : defaultTimeoutMs)
  const tookMs = end.atMs - issued.atMs - (end.frozenMs - issued.frozenMs)
  if (operation.kind !== 'close' && tookMs > timeoutMs + lateMs && !readsSlowly(operation))
    fail('I1', `settled after ${Math.round(tookMs)} ms, its deadline were ${timeoutMs}`)
}

/** Items that have come are delivered before the error, as slowly as they are read. */
function readsSlowly({ kind }: Operation): boolean {
  return kind === 'mirror'
}

/** I2: at most one start for a call that may not be repeated. */
function judgeStarts(story: Story, circumstances: Circumstances, fail: Fail): void {
  const starts = story.of('start', 's')
  const { kind, how } = story.operation
  const mayRepeat = repeatable.has(kind) && (kind !== 'fail' || how === 'once')
  const connections = new Set(starts.map(({ connection }) => connection))
  if (kind !== 'fail' && kind !== 'follow' && connections.size !== starts.length)
    fail('I2', 'its handler started twice in one session')
  // Who breaks rules may call as often as it likes, in other sessions.
  if (circumstances.isSuspect(story.operation)) return
  if (!mayRepeat && starts.length > 1) fail('I2', `its handler started ${starts.length} times`)
  if (kind === 'fail' && starts.length > maxAttempts) fail('I2', `${starts.length} attempts`)
  const backStarts = story.of('start', 'c')
  if (backStarts.length > starts.length)
    fail('I2', `the client's handler started ${backStarts.length} times`)
}

/** I3 and I4: a result is the handler's own, and what is said of the handler is true. */
function judgeOutcome(story: Story, fail: Fail): void {
  const end = story.settlements[0]
  const { kind, how, breakAfter } = story.operation
  if (end === undefined || kind === 'close') return
  const started = story.of('start', 's').length > 0
  const finished = story.of('finish', 's').map(({ value }) => value)
  if (end.what === 'error') {
    const [code, processed] = end.value.split(' ')
    if (end.value.startsWith('no RpcError')) return fail('I3', end.value)
    if (processed === 'no' && started) fail('I4', `says it did not run (${end.value}), and it did`)
    if (processed === 'yes' && !started && kind !== 'note')
      fail('I4', `says it ran (${end.value}), and it did not`)
    return judgeCode(story, code!, fail)
  }
  if (kind === 'note') return
  if (!started) return fail('I4', 'is ok, and its handler did not run')
  if (kind === 'fail' && how !== 'once') return fail('I3', `is ok, and its handler threw`)
  const isUnary = !['count', 'follow', 'mirror'].includes(kind)
  if (isUnary && !finished.includes(end.value))
    fail('I3', `its result ${end.value} is none of ${finished.join(', ')}`)
  if (kind === 'echo' && end.value !== `${story.operation.op}:0:${story.operation.size}`)
    fail('I3', `its result is ${end.value}`)
  if (!isUnary && breakAfter === undefined && !finished.includes('end'))
    fail('I5', 'ended well before its handler did')
}

/** What a handler is told of the deadline is what its caller has left. */
function judgeDeadlines(story: Story, fail: Fail): void {
  const { kind, timeoutMs } = story.operation
  if (kind === 'close' || kind === 'note') return
  const streams = ['count', 'sum', 'mirror', 'follow'].includes(kind)
  const most = timeoutMs ?? (streams ? Infinity : defaultTimeoutMs)
  for (const { value } of story.of('start', 's')) {
    const left = Number(value.split(' ')[0])
    if (left <= 0) fail('I4', 'its handler started after the deadline')
    if (left > most) fail('I1', `its handler has ${left} ms, its caller had ${most}`)
  }
}

/** Nothing went wrong, so nothing may have failed, and nobody works for a caller that has left. */
function judgeUndisturbed(story: Story, fail: Fail): void {
  const { kind, how, timeoutMs } = story.operation
  const end = story.settlements[0]
  const left = story.of('cancel', 'c')[0]
  const fails = kind === 'fail' && how !== 'once'
  if (end?.what === 'error' && !fails && timeoutMs === undefined && left === undefined)
    if (!end.value.includes('closed') && !(kind === 'ask' && end.value.startsWith('deadline')))
      fail('I1', `failed though nothing went wrong: ${end.value}`)
  if (left === undefined) return
  const works = story.entries.find(
    ({ what, who, atMs }) => what === 'gave' && who.startsWith('s') && atMs > left.atMs + leaveMs,
  )
  if (works !== undefined) fail('bound', 'its handler goes on though its caller has left')
}

/** A CANCEL takes so long at most, over the slowest line, in milliseconds. */
const leaveMs = 1_500

/** Codes that a run can explain. */
const explained = new Set([
  'cancelled',
  'deadline_exceeded',
  'unavailable',
  'session_lost',
  'resource_exhausted',
  'unauthenticated',
])

function judgeCode(story: Story, code: string, fail: Fail): void {
  const { kind, how } = story.operation
  const end = story.settlements[0]!
  if (explained.has(code)) {
    if (code === 'cancelled' && kind !== 'ask' && !isCancelled(story, end))
      fail('I3', `was cancelled by nobody: ${end.value}`)
    if (code === 'deadline_exceeded') judgeDeadline(story, end, fail)
    return
  }
  // The client's handler was gone, or what the server asked of it failed.
  if (kind === 'ask' && code === 'internal') return
  if (kind === 'fail' && how === 'declared' && code === 'unknown') return
  if (kind === 'fail' && how === 'throws' && code === 'internal') return
  if (kind === 'fail' && how === 'declared') return
  fail('I3', `failed with ${end.value}`)
}

function judgeDeadline(story: Story, end: Entry, fail: Fail): void {
  const issued = story.of('issue', 'c')[0]!
  const { timeoutMs = defaultTimeoutMs, kind } = story.operation
  if (kind !== 'ask' && end.atMs - issued.atMs < timeoutMs - 1)
    fail('I1', `its deadline passed after ${Math.round(end.atMs - issued.atMs)} of ${timeoutMs} ms`)
}

/** By itself, or by the close of its client, or of the server's side of it. */
function isCancelled(story: Story, end: Entry): boolean {
  return story.of('cancel', 'c').length > 0 || /closed|gone/.test(end.value)
}

/** I5: what a reader gets is a prefix of what was sent, in order. */
function judgeItems(story: Story, fail: Fail): void {
  const { kind, op, size, items: wanted } = story.operation
  const got = story.of('item', 'c').map(({ value }) => value)
  const factor = kind === 'mirror' ? 2 : 1
  const expected = (n: number): string => `${op}:${factor * n}:${padOf(op, size).length}`
  for (const [at, value] of got.entries())
    if (value !== expected(at + 1)) return fail('I5', `item ${at + 1} is ${value}`)
  const end = story.settlements[0]
  if (end?.what === 'ok' && end.value.startsWith('read') && got.length !== wanted)
    fail('I5', `ended well after ${got.length} of ${wanted} items`)
  if (kind === 'count' && got.length > story.of('gave', 's').length)
    fail('I5', `${got.length} items came, ${story.of('gave', 's').length} were sent`)
  judgeUploads(story, fail)
  const last = story.entries.findLastIndex(({ what }) => what === 'item')
  const over = story.entries.findIndex(({ what }) => what === 'ok' || what === 'error')
  if (over >= 0 && last > over) fail('I5', 'an item came after the end')
}

function judgeUploads(story: Story, fail: Fail): void {
  const { kind, op, size, items: wanted } = story.operation
  if (kind !== 'sum' && kind !== 'mirror') return
  const took = story.of('took', 's').map(({ value }) => value)
  for (const [at, value] of took.entries())
    if (value !== `${op}:${at + 1}:${padOf(op, size).length}`)
      return fail('I5', `the handler's item ${at + 1} is ${value}`)
  const finished = story.of('finish', 's').length > 0
  if (finished && took.length !== wanted)
    fail('I5', `the handler's input ended well after ${took.length} of ${wanted} items`)
}

/** Events: none twice, in order within one connection; all of them where nothing was lost. */
function judgeEvents(
  operations: readonly Operation[],
  entries: readonly Entry[],
  circumstances: Circumstances,
  violations: Violation[],
): void {
  const notes = new Map(
    operations.filter(({ kind }) => kind === 'note').map((one) => [one.op, one]),
  )
  const seen = new Set<number>()
  const issuedAt = new Map<number, number>()
  const lastOf = new Map<string, number>()
  const sent = new Set<number>()
  for (const [at, { what, who, op, connection, atMs }] of entries.entries()) {
    const note = notes.get(op)
    if (note === undefined) continue
    const fail = (invariant: string, text: string): void =>
      void violations.push({ invariant, atMs: Math.round(atMs), text: `event ${op}: ${text}` })
    if (what === 'issue') issuedAt.set(op, at)
    if (what === 'ok') sent.add(op)
    if (what !== 'took' || !who.startsWith('s') || circumstances.isSuspect(note)) continue
    if (seen.has(op)) fail('I2', 'handled twice')
    seen.add(op)
    const key = `${connection}`
    const before = lastOf.get(key) ?? -1
    if (issuedAt.get(op)! < before) fail('I5', 'handled before one that was sent earlier')
    lastOf.set(key, issuedAt.get(op)!)
  }
  for (const op of sent) {
    const note = notes.get(op)!
    const nothingLost = circumstances.serversLived && circumstances.keptAll(note.client)
    if (nothingLost && !circumstances.isSuspect(note) && !seen.has(op))
      violations.push({ invariant: 'I5', atMs: 0, text: `event ${op}: sent, and never handled` })
  }
}
