// A conversation of every kind of call, cut at every frame: as if nothing had happened.

import { expect, test } from 'vitest'
import type { Way } from './cuttable.ts'
import { conversation, conversationRan, converse, setUp, type World } from './world.ts'

/** Frames of the conversation without a cut. */
async function framesOf(): Promise<Record<Way, number>> {
  const frames = { up: 0, down: 0 }
  const world = await setUp()
  world.transport.fate = (way) => {
    frames[way] += 1
    return 'pass'
  }
  expect(await world.until(converse(world))).toEqual(conversation)
  await world.close()
  return frames
}

function expectAsIfNothingHad(world: World): void {
  expect(world.ran.toSorted()).toEqual(conversationRan)
  expect(world.told).not.toContain('sessionLost')
}

const frames = await framesOf()

for (const way of ['up', 'down'] as const)
  for (const fate of ['cut before', 'cut after'] as const)
    test(`cut at each of ${frames[way]} frames ${way}, ${fate} it [case C94]`, async () => {
      // The first frame is the handshake's: what is cut there is no session yet.
      for (let nth = 2; nth <= frames[way]; nth += 1) {
        const world = await setUp()
        let seen = 0
        world.transport.fate = (each) => {
          if (each === way) seen += 1
          return each === way && seen === nth ? fate : 'pass'
        }
        expect(await world.until(converse(world)), `frame ${nth}`).toEqual(conversation)
        expectAsIfNothingHad(world)
        await world.close()
      }
    })

test('a thousand cuts at random: after every third frame, for ever [case C95]', async () => {
  let cuts = 0
  for (let seed = 1; cuts < 1_000; seed += 1) {
    const world = await setUp({ seed })
    let seen = 0
    world.transport.fate = () => {
      seen += 1
      if (seen < 4 || world.clock.random() > 0.3) return 'pass'
      return world.clock.random() < 0.5 ? 'cut before' : 'cut after'
    }
    const talk = converse(world)
    expect(await world.until(talk), `seed ${seed}`).toEqual(conversation)
    expectAsIfNothingHad(world)
    expect(world.transport.lines.length).toBeGreaterThan(2)
    cuts += world.transport.lines.length - 1
    world.transport.fate = () => 'pass'
    await world.close()
  }
})
