// The part of the transport suite about the end of a link: polite, sudden, by a fault.
//   in  -> `Stage`
//   out -> cases

import { check, isFrame, same, turns, type SuiteCase } from './transport-kit.ts'

export const closingCases: readonly SuiteCase[] = [
  {
    title: 'close delivers what was written before; both ends hear of it once, as clean',
    async run(stage) {
      for (const closer of ['near', 'far'] as const) {
        const [near, far] = await stage.pair()
        const [from, to] = closer === 'near' ? [near, far] : [far, near]
        from.send(66_560, 0)
        for (let at = 1; at < 50; at += 1) from.write(1_000, at)
        const closing = from.link.close()
        await Promise.all([closing, from.closed(), to.closed()])
        same(to.frames.length, 50, 'frames')
        check(
          to.frames.every((frame, at) => isFrame(frame, at)),
          'a frame has changed',
        )
        same(from.close?.clean, true, 'clean at the closing end')
        same(to.close?.clean, true, 'clean at the other end')
      }
    },
  },
  {
    title: 'the end that hears of a close has sent what it had flushed',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.send(66_560, 1)
      await near.received(1)
      far.send(5_000, 2)
      await Promise.all([near.received(2), far.drained()])
      await near.link.close()
      check(
        near.frames.every((frame, at) => isFrame(frame, at + 1)),
        'a frame has changed',
      )
    },
  },
  {
    title: 'both ends close at once',
    async run(stage) {
      const [near, far] = await stage.pair()
      near.write(100, 1)
      far.write(100, 2)
      await Promise.all([near.link.close(), far.link.close(), near.closed(), far.closed()])
    },
  },
  {
    title: 'close and abort may be repeated, in any order',
    async run(stage) {
      const [near, far] = await stage.pair()
      await Promise.all([near.link.close(), near.link.close()])
      near.link.abort()
      await near.link.close()
      await far.closed()
      far.link.abort()
      far.link.abort()
      await far.link.close()
      const [third, fourth] = await stage.pair()
      third.link.abort('first')
      third.link.abort('second')
      await third.link.close()
      await fourth.closed()
      same((await third.closed()).reason, 'first', 'reason')
    },
  },
  {
    title: 'close is overtaken by abort',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.link.pause()
      const closing = near.link.close()
      near.link.abort('enough')
      await closing
      await near.closed()
    },
  },
  {
    title: 'what is written after close or abort is ignored',
    async run(stage) {
      const [near, far] = await stage.pair()
      near.send(100, 1)
      const closing = near.link.close()
      near.send(100, 2)
      await Promise.all([closing, far.closed()])
      near.send(100, 3)
      same(far.frames.length, 1, 'frames')
      const [third, fourth] = await stage.pair()
      third.link.abort()
      third.send(100, 4)
      await fourth.closed()
      same(fourth.frames.length, 0, 'frames after abort')
    },
  },
  {
    title: 'abort ends the link now: not clean here, and the other end hears of it',
    async run(stage) {
      const [near, far] = await stage.pair()
      near.link.abort('enough')
      const [here] = await Promise.all([near.closed(), far.closed()])
      same(here.clean, false, 'clean')
      same(here.reason, 'enough', 'reason')
    },
  },
  {
    title: 'abort inside onFrame delivers nothing more',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.whenFrame = (count) => {
        if (count === 2) far.link.abort()
      }
      for (let at = 0; at < 10; at += 1) near.write(20, at)
      near.link.flush()
      await Promise.all([near.closed(), far.closed()])
      same(far.frames.length, 2, 'frames')
    },
  },
  {
    title: 'a throw in onFrame costs that link, with its error, and no other',
    async run(stage) {
      const [near, far] = await stage.pair()
      const [third, fourth] = await stage.pair()
      const error = new Error('thrown by the owner')
      far.whenFrame = () => {
        throw error
      }
      near.write(20, 1)
      near.write(20, 2)
      near.link.flush()
      const [close] = await Promise.all([far.closed(), near.closed()])
      same(close.clean, false, 'clean')
      same(close.error, error, 'error')
      same(far.frames.length, 1, 'frames')
      third.send(20, 3)
      await fourth.received(1)
    },
  },
  {
    title: 'a frame over maxFrame costs that link and no other',
    maxFrame: 1_024,
    async run(stage) {
      const [near, far] = await stage.pair()
      const [third, fourth] = await stage.pair()
      near.send(1_024, 1)
      near.send(1_025, 2)
      const [close] = await Promise.all([far.closed(), near.closed()])
      same(close.clean, false, 'clean')
      same(far.frames.length, 1, 'frames')
      third.send(1_024, 3)
      await fourth.received(1)
    },
  },
  {
    title: 'frames that wait in a pause outlive the close of the peer',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.whenFrame = (count) => {
        if (count === 1) far.link.pause()
      }
      for (let at = 0; at < 10; at += 1) near.write(20, at)
      const closing = near.link.close()
      await far.received(1)
      await turns()
      same(far.frames.length, 1, 'frames while paused')
      far.link.resume()
      await Promise.all([far.received(10), far.closed(), closing])
      same(far.close?.clean, true, 'clean')
    },
  },
  {
    title: 'a link whose peer went before it was opened says so when it is opened',
    async run(stage) {
      const [near, far] = await stage.connect()
      near.open()
      near.link.abort()
      await near.closed()
      await turns()
      await far.open().closed()
    },
  },
  {
    title: 'close settles though the peer reads nothing',
    needs: 'holdsBack',
    async run(stage) {
      const [near, far] = await stage.pair()
      far.link.pause()
      for (let at = 0; at < 1_024 && near.link.unsentBytes < 512 * 1024; at += 1) {
        near.send(65_536, at)
        if (at % 8 === 7) await turns(1)
      }
      await near.link.close()
      same((await near.closed()).clean, false, 'clean')
    },
  },
]
