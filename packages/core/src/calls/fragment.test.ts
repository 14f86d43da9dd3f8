import { hex, toHex, u32 } from '@callbox/testing/node'
import { VirtualClock } from '@callbox/testing'
import { beforeEach, describe, expect, test } from 'vitest'
import { Timers } from '../base/timers.ts'
import { MessageFields } from '../frames/fields.ts'
import { Flag } from '../frames/frame.ts'
import { Ledger } from '../session/ledger.ts'
import { Memory } from '../session/memory.ts'
import { ReceiveBudget } from './budget.ts'
import { ReceiveWindow } from './credit.ts'
import { Assembly, WholeMessage, type Step } from './fragment.ts'

const KiB = 1024
const bytesOf = (size: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (from + at) * 31)

describe('a message in parts', () => {
  test('is whole when as many bytes came as were announced', () => {
    const assembly = new Assembly(6)
    assembly.add(hex('ff 01 02 03 ff'), 1, 4)
    assembly.add(hex('04 05 06'), 0, 3)
    expect(toHex(assembly.finish())).toBe('010203040506')
  })

  test('cut at every position is the same message', () => {
    const whole = bytesOf(40)
    for (let cut = 0; cut <= 40; cut += 1) {
      const assembly = new Assembly(40)
      assembly.add(whole, 0, cut)
      assembly.add(whole, cut, 40)
      expect(assembly.finish()).toEqual(whole)
    }
  })

  test('of single bytes is the same message', () => {
    const whole = bytesOf(1_000)
    const assembly = new Assembly(1_000)
    for (let at = 0; at < 1_000; at += 1) assembly.add(whole, at, at + 1)
    expect(assembly.finish()).toEqual(whole)
  })

  test('owns its memory: frames are only borrowed', () => {
    const frame = bytesOf(10)
    const assembly = new Assembly(10)
    assembly.add(frame, 0, 10)
    frame.fill(0xff)
    expect(assembly.finish()).toEqual(bytesOf(10))
  })

  test('may be empty', () => {
    const assembly = new Assembly(0)
    assembly.add(hex(''), 0, 0)
    expect(assembly.finish()).toHaveLength(0)
  })

  test('one byte more than announced is refused when it comes [case C90]', () => {
    const assembly = new Assembly(5)
    assembly.add(bytesOf(5), 0, 5)
    expect(() => assembly.add(bytesOf(1), 0, 1)).toThrow('[protocol] message longer than its total')
    expect(() => new Assembly(0).add(bytesOf(1), 0, 1)).toThrow('longer than its total')
  })

  test('one byte less is refused at its end [case C90]', () => {
    const assembly = new Assembly(5)
    assembly.add(bytesOf(4), 0, 4)
    expect(() => assembly.finish()).toThrow('[protocol] message shorter than its total')
  })

  test('memory follows what came, not what was announced [case C92]', () => {
    globalThis.gc!()
    const before = process.memoryUsage().arrayBuffers
    const all = Array.from({ length: 256 }, () => {
      const assembly = new Assembly(4 * KiB * KiB)
      assembly.add(bytesOf(1), 0, 1)
      return assembly
    })
    globalThis.gc!()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * KiB)
    expect(all).toHaveLength(256)
  })

  test('its buffer at most doubles, and ends at the total', () => {
    const assembly = new Assembly(100 * KiB)
    const part = bytesOf(KiB)
    for (let n = 0; n < 100; n += 1) assembly.add(part, 0, KiB)
    const whole = assembly.finish()
    expect([whole.length, whole.buffer.byteLength]).toEqual([100 * KiB, 100 * KiB])
  })
})

describe('the one message of a direction', () => {
  const limits = { maxMessage: 1_000 * KiB, frameCost: 64 }
  const size = 256 * KiB
  let ledger: Ledger
  let grants: number[]
  let window: ReceiveWindow
  let message: WholeMessage
  const fields = new MessageFields()

  beforeEach(() => {
    const clock = new VirtualClock()
    const memory = new Memory(clock, new Timers(clock), 256 * KiB * KiB, { bytes: 0 })
    ledger = new Ledger(memory)
    grants = []
    window = new ReceiveWindow(
      { window: size, budget: new ReceiveBudget(1_024 * KiB, memory), ledger },
      { waitedFor: true, grant: (bytes) => void grants.push(bytes) },
    )
    message = new WholeMessage(window, limits)
  })

  /** A DATA frame of these flags; the total stands where MORE begins a message. */
  function receive(flags: number, payload: Uint8Array, total?: number): Step {
    const announced = total === undefined ? new Uint8Array() : u32(total)
    const frame = Buffer.concat([Uint8Array.of(0x11, flags), u32(1), announced, payload])
    fields.parse(frame, 0, frame.length)
    return message.receive(frame, flags, fields, frame.length)
  }
  const { More, Cont } = Flag

  test('comes whole with its last fragment', () => {
    const whole = bytesOf(150)
    expect(receive(More, whole.subarray(0, 50), 150)).toBe('more')
    expect(receive(Cont | More, whole.subarray(50, 100))).toBe('more')
    expect(message.begun).toBe(true)
    expect(receive(Cont, whole.subarray(100))).toEqual(whole)
    expect(message.begun).toBe(false)
    expect(ledger.buffered).toBe(0)
  })

  test('every fragment is charged until it is whole', () => {
    receive(More, bytesOf(50), 150)
    expect(ledger.buffered).toBe(50 + 64)
    receive(Cont | More, bytesOf(50))
    expect(ledger.buffered).toBe(100 + 2 * 64)
  })

  test('CONT without a start is a broken rule [case C91]', () => {
    expect(() => receive(Cont, bytesOf(1))).toThrow('[protocol] fragment of no message')
    expect(() => receive(Cont | More, bytesOf(1))).toThrow('[protocol] fragment of no message')
  })

  test('so is a new start before the end [case C91]', () => {
    receive(More, bytesOf(1), 100)
    expect(() => receive(More, bytesOf(1), 100)).toThrow('[protocol] a message begins inside')
  })

  test('so is CONT after the end', () => {
    receive(More, bytesOf(1), 2)
    receive(Cont, bytesOf(1))
    expect(() => receive(Cont, bytesOf(1))).toThrow('[protocol] fragment of no message')
  })

  test('a total that says less or more than comes is one, too [case C90]', () => {
    receive(More, bytesOf(10), 15)
    expect(() => receive(Cont, bytesOf(6))).toThrow('[protocol] message longer than its total')
    message = new WholeMessage(window, limits)
    receive(More, bytesOf(10), 15)
    expect(() => receive(Cont, bytesOf(4))).toThrow('[protocol] message shorter than its total')
  })

  test('maxMessage is compared at the first fragment: nothing is kept of it [case C89]', () => {
    expect(receive(More, bytesOf(10), limits.maxMessage + 1)).toBe('over maxMessage')
    expect(() => receive(Cont, bytesOf(10))).toThrow('fragment of no message')
    expect(receive(More, bytesOf(10), limits.maxMessage)).toBe('more')
  })

  test('beyond the credit it is not taken in [case C80]', () => {
    const part = bytesOf(64 * KiB)
    for (let n = 0; n < 3; n += 1)
      receive(n === 0 ? More : Cont | More, part, n === 0 ? 999 * KiB : undefined)
    // Three of four are granted again on receipt, so the window never ends within a message.
    expect(grants.reduce((sum, bytes) => sum + bytes, 0)).toBe(3 * (64 * KiB + 64))
    window.close()
    message = new WholeMessage(
      new ReceiveWindow(
        {
          window: 128,
          budget: new ReceiveBudget(
            0,
            new Memory(new VirtualClock(), new Timers(new VirtualClock()), 1, { bytes: 0 }),
          ),
          ledger,
        },
        { waitedFor: false, grant: () => undefined },
      ),
      limits,
    )
    expect(receive(More, bytesOf(64), 500)).toBe('more')
    expect(receive(Cont | More, bytesOf(1))).toBe('beyond credit')
  })

  test('a message far larger than the window arrives: credit goes back as it comes [case C84]', () => {
    const whole = bytesOf(300_000)
    let step: Step = 'more'
    for (let at = 0; at < whole.length; at += 5) {
      const last = at + 5 >= whole.length
      const flags = (at === 0 ? 0 : Cont) | (last ? 0 : More)
      step = receive(flags, whole.subarray(at, at + 5), at === 0 ? whole.length : undefined)
    }
    expect(step).toEqual(whole)
    // 60,000 fragments of 69 bytes: everything but a quarter of the window is granted again.
    const cost = 60_000 * 69
    const granted = grants.reduce((sum, bytes) => sum + bytes, 0)
    expect(granted).toBeLessThanOrEqual(cost)
    expect(granted).toBeGreaterThan(cost - size / 4)
    expect(window.unused).toBe(size + granted - cost)
    expect(ledger.buffered).toBe(0)
  })
})
