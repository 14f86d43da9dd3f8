import { describe, expect, test } from 'vitest'
import { keepTicks, Players, type Reach } from './player.ts'
import type { Room } from './room.ts'
import { Rooms } from './rooms.ts'
import { ticksPerSecond } from './rules.ts'

const reach: Reach = {
  confirm: () => Promise.resolve({ yes: true }),
  notice: () => Promise.resolve(),
}

function makeRooms(): Rooms {
  let made = 0
  return new Rooms({ newId: () => `room-${++made}`, onOver: () => undefined })
}

function player(players: Players, name: string) {
  const one = players.of(`token of ${name}`.padEnd(16, '.'))
  one.name = name
  players.arrive(one, reach)
  return one
}

function seated(roundSeconds = 10) {
  const over: Room[] = []
  const rooms = new Rooms({ newId: () => 'r', onOver: (room) => over.push(room) })
  const [left, right] = [player(rooms.players, 'left'), player(rooms.players, 'right')]
  const made = rooms.create(left, { name: 'Test', roundSeconds })
  if (made.tag !== 'Taken') throw new Error(made.tag)
  expect(rooms.join(right, 'r').tag).toBe('Taken')
  return { rooms, room: made.room, left, right, over }
}

function tick(rooms: Rooms, ticks: number): void {
  for (let i = 0; i < ticks; i++) rooms.tick()
}

function playing(roundSeconds = 10) {
  const all = seated(roundSeconds)
  all.room.setReady(all.left, true)
  all.room.setReady(all.right, true)
  tick(all.rooms, 1 + 3 * ticksPerSecond)
  expect(all.room.phase).toBe('playing')
  return all
}

describe('phases of a room', () => {
  test('the countdown begins when all are ready, and stops when one is not', () => {
    const { rooms, room, left, right } = seated()
    room.setReady(left, true)
    tick(rooms, 100)
    expect(room.phase).toBe('waiting')
    room.setReady(right, true)
    tick(rooms, 1)
    expect(room.state()).toMatchObject({ phase: 'countdown', secondsLeft: 3 })
    tick(rooms, ticksPerSecond)
    expect(room.state().secondsLeft).toBe(2)
    room.setReady(left, false)
    tick(rooms, 1)
    expect(room.phase).toBe('waiting')
    room.setReady(left, true)
    tick(rooms, 1)
    expect(room.state()).toMatchObject({ phase: 'countdown', secondsLeft: 3 })
  })

  test('nobody plays alone', () => {
    const { rooms, room, left, right } = seated()
    rooms.leave(right)
    room.setReady(left, true)
    tick(rooms, 100)
    expect(room.phase).toBe('waiting')
  })

  test('a round lasts its seconds, has a winner, and everybody is asked again', () => {
    const { rooms, room, left, over } = playing()
    room.intend(left, { dir: 'right', splash: true })
    tick(rooms, 10 * ticksPerSecond)
    expect(over).toEqual([room])
    const state = room.state()
    expect(state).toMatchObject({ phase: 'results', winners: [0] })
    expect(state.players.map(({ ready, wins }) => [ready, wins])).toEqual([
      [false, 1],
      [false, 0],
    ])
    expect(room.messagesAfter(0).at(-1)?.text).toBe('left won the round')
    tick(rooms, 8 * ticksPerSecond)
    expect(room.phase).toBe('waiting')
  })

  test('a rematch starts as soon as all are ready, on a bare floor', () => {
    const { rooms, room, left, right } = playing()
    tick(rooms, 10 * ticksPerSecond)
    room.setReady(left, true)
    room.setReady(right, true)
    tick(rooms, 2 + 3 * ticksPerSecond)
    expect(room.phase).toBe('playing')
    expect(room.snapshot().scores).toEqual([1, 1, 0, 0])
  })

  test('who joins a running round gets a painter', () => {
    const { rooms, room } = playing()
    expect(rooms.join(player(rooms.players, 'late'), 'r')).toMatchObject({ seat: 2 })
    expect(room.snapshot().painters.map((painter) => painter.seat)).toEqual([0, 1, 2])
  })
})

describe('moves', () => {
  const placeOf = (room: Room) => room.snapshot().painters[0]

  test('a held direction goes on until it is let go', () => {
    const { rooms, room, left } = playing()
    const before = placeOf(room)?.x ?? 0
    room.intend(left, { dir: 'right', splash: false })
    tick(rooms, 30)
    const after = placeOf(room)?.x ?? 0
    expect(after - before).toBe(10)
    room.intend(left, { dir: 'stay', splash: false })
    tick(rooms, 30)
    expect(placeOf(room)?.x).toBe(after)
  })

  test('a key that goes down and up between two ticks moves one tile', () => {
    const { rooms, room, left } = playing()
    const before = placeOf(room)?.x ?? 0
    room.intend(left, { dir: 'right', splash: false })
    room.intend(left, { dir: 'stay', splash: false })
    tick(rooms, 30)
    expect(placeOf(room)?.x).toBe(before + 1)
  })

  test('a splash between two ticks is not lost', () => {
    const { rooms, room, left } = playing()
    room.intend(left, { dir: 'stay', splash: true })
    room.intend(left, { dir: 'stay', splash: false })
    tick(rooms, 1)
    expect(room.snapshot().scores[0]).toBe(9)
  })

  test('moves of somebody without a seat change nothing', () => {
    const { rooms, room } = playing()
    const before = room.snapshot()
    room.intend(player(rooms.players, 'stranger'), { dir: 'right', splash: true })
    tick(rooms, 10)
    expect(room.snapshot().tiles).toEqual(before.tiles)
  })
})

describe('seats', () => {
  test('are as many as the room has; a leaver makes room', () => {
    const rooms = makeRooms()
    const [one, two, three] = ['1', '2', '3'].map((name) => player(rooms.players, name))
    if (!one || !two || !three) throw new Error('three players')
    rooms.create(one, { name: 'Duel', seats: 2 })
    expect(rooms.join(two, 'room-1')).toMatchObject({ tag: 'Taken', seat: 1 })
    expect(rooms.join(three, 'room-1')).toEqual({ tag: 'RoomFull', seats: 2 })
    rooms.leave(one)
    expect(rooms.join(three, 'room-1')).toMatchObject({ tag: 'Taken', seat: 0 })
    expect(rooms.join(three, 'no room')).toEqual({ tag: 'NoSuchRoom' })
  })

  test('joining twice gives the same seat; joining elsewhere gives the first one up', () => {
    const rooms = makeRooms()
    const [one, two] = [player(rooms.players, '1'), player(rooms.players, '2')]
    rooms.create(one, { name: 'First' })
    rooms.create(two, { name: 'Second' })
    expect(rooms.join(one, 'room-1')).toMatchObject({ seat: 0 })
    expect(rooms.join(one, 'room-2')).toMatchObject({ seat: 1 })
    expect(rooms.list().rooms.map((room) => room.name)).toEqual(['Second'])
    expect(rooms.of(one)?.roomId).toBe('room-2')
  })

  test('a room is gone with its last player', () => {
    const { rooms, left, right } = seated()
    rooms.leave(left)
    expect(rooms.list().rooms).toHaveLength(1)
    rooms.leave(right)
    expect(rooms.list().rooms).toHaveLength(0)
  })

  test('survive a reload: kept for a while without a connection, then free', () => {
    const { rooms, room, left } = seated()
    rooms.players.depart(left)
    tick(rooms, keepTicks - ticksPerSecond)
    expect(room.state().players[0]).toMatchObject({ seat: 0, away: true })
    expect(rooms.players.of(left.token)).toBe(left)
    rooms.players.arrive(left, reach)
    tick(rooms, 2 * keepTicks)
    expect(room.state().players[0]).toMatchObject({ seat: 0, away: false })
    rooms.players.depart(left)
    tick(rooms, keepTicks + ticksPerSecond)
    expect(room.state().players.map((one) => one.seat)).toEqual([1])
    expect(rooms.players.of(left.token)).not.toBe(left)
  })
})

describe('rooms', () => {
  test('a name that is taken comes with one that is not', () => {
    const rooms = makeRooms()
    const [one, two] = [player(rooms.players, '1'), player(rooms.players, '2')]
    rooms.create(one, { name: 'A name of 20 letters' })
    const refused = rooms.create(two, { name: 'a NAME of 20 letters ' })
    expect(refused).toEqual({ tag: 'NameTaken', suggestion: 'a NAME of 20 lett 2' })
    expect(rooms.create(two, { name: 'a NAME of 20 lett 2' }).tag).toBe('Taken')
  })

  test('are at most fifty', () => {
    const rooms = makeRooms()
    for (let i = 0; i < 50; i++)
      expect(rooms.create(player(rooms.players, `p${i}`), { name: `${i}` }).tag).toBe('Taken')
    expect(rooms.create(player(rooms.players, 'p50'), { name: '50' }).tag).toBe('LobbyFull')
  })

  test('the list has a picture of running rounds only', () => {
    const { rooms } = seated()
    expect(rooms.list().rooms[0]).not.toHaveProperty('tiles')
    expect(playing().rooms.list().rooms[0]?.tiles).toHaveLength(24 * 15)
  })
})

describe('chat', () => {
  test('keeps the last fifty lines, in order', () => {
    const { room, left } = seated()
    for (let i = 0; i < 60; i++) room.say(left, `line ${i}`)
    const lines = room.messagesAfter(0)
    expect(lines).toHaveLength(50)
    expect(lines.at(-1)).toMatchObject({ seat: 0, name: 'left', text: 'line 59' })
    expect(room.messagesAfter(lines[48]?.seq ?? 0)).toEqual([lines[49]])
  })

  test('five lines at once, then one a second', () => {
    const { rooms, left } = seated()
    expect(Array.from({ length: 6 }, () => rooms.maySpeak(left))).toEqual([
      ...new Array<boolean>(5).fill(true),
      false,
    ])
    tick(rooms, ticksPerSecond)
    expect([rooms.maySpeak(left), rooms.maySpeak(left)]).toEqual([true, false])
  })
})

describe('players', () => {
  test.each([[undefined], ['short'], [42], ['x'.repeat(65)]])('%s is no token', (token) => {
    expect(() => new Players(() => 0).of(token)).toThrow(/seat token/)
  })

  test('are at most two thousand', () => {
    const players = new Players(() => 0)
    for (let i = 0; i < 2_000; i++) players.of(`token number ${i}`.padEnd(16))
    expect(() => players.of('one more than two thousand')).toThrow(/full/)
  })

  test('bots are not counted as people', () => {
    const players = new Players(() => 0)
    player(players, 'person')
    player(players, 'bot').bot = true
    expect(players.online).toBe(1)
  })
})
