// Encodes and decodes the message of W1 by every codec, interleaved, in one process.
//   in  -> --rounds, --ms
//   out -> nanoseconds, bytes, and the ratio to msgpackr as it is used by hand

import { parseArgs } from 'node:util'
import { Packr, Unpackr } from 'msgpackr'
import { compact } from '@callbox/core/compact'
import { msgpackCodec } from '@callbox/core/msgpack'
import { compact as withoutGeneratedCode } from '../../packages/core/src/compact.browser.ts'
import {
  ByteSink,
  plainMsgpackCodec,
  resolveLimits,
  type SchemaCodec,
} from '@callbox/core/internal'
import { Message } from './contract.ts'
import { message } from './workloads.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg, index) => !(index === 0 && arg === '--')),
  options: {
    rounds: { type: 'string', default: '9' },
    ms: { type: 'string', default: '200' },
  },
})

interface Subject {
  readonly name: string
  readonly bytes: number
  encode(): void
  decode(): unknown
}

const limits = resolveLimits('internet')
const sink = new ByteSink()

function byHand(): Subject {
  const packr = new Packr({ useRecords: false })
  const unpackr = new Unpackr({ useRecords: false })
  const bytes = Buffer.from(packr.pack(message))
  return {
    name: 'msgpackr',
    bytes: bytes.length,
    encode: () => void packr.pack(message),
    decode: () => unpackr.unpack(bytes),
  }
}

function byCodec(name: string, codec: SchemaCodec): Subject {
  sink.begin(64)
  codec.encode(message, sink)
  const bytes = Buffer.from(sink.buffer.slice(sink.start, sink.position))
  return {
    name,
    bytes: bytes.length,
    encode() {
      sink.begin(64)
      codec.encode(message, sink)
    },
    decode: () => codec.decode(bytes, 0, bytes.length),
  }
}

const subjects = [
  byHand(),
  byCodec('msgpack of Callbox', msgpackCodec(limits).of(Message)),
  byCodec('msgpack, own reader', plainMsgpackCodec(limits).of(Message)),
  byCodec('compact, closures', withoutGeneratedCode().codec(limits).of(Message)),
  byCodec('compact', compact().codec(limits).of(Message)),
]

let kept: unknown

function nanoseconds(work: () => unknown, ms: number): number {
  const started = performance.now()
  let count = 0
  let now = started
  while (now - started < ms) {
    for (let index = 0; index < 2_000; index += 1) kept = work()
    count += 2_000
    now = performance.now()
  }
  return ((now - started) * 1e6) / count
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!
}

const rounds = Number(values.rounds)
const ms = Number(values.ms)
const encode = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
const decode = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
// A first round warms the compilers up and does not count.
for (let round = 0; round <= rounds; round += 1)
  for (const subject of subjects) {
    const encoding = nanoseconds(() => subject.encode(), ms)
    const decoding = nanoseconds(() => subject.decode(), ms)
    if (round === 0) continue
    encode.get(subject.name)!.push(encoding)
    decode.get(subject.name)!.push(decoding)
  }
const floor = subjects[0]!.name
console.log(
  `Node ${process.version}, W1's message, median of ${rounds} rounds, x: ratio to msgpackr\n`,
)
for (const { name, bytes } of subjects) {
  const columns = [encode, decode].map((all) => {
    const own = median(all.get(name)!)
    return `${own.toFixed(0).padStart(5)} ns x${(own / median(all.get(floor)!)).toFixed(2)}`
  })
  console.log(
    `${name.padEnd(20)} ${String(bytes).padStart(4)} bytes  encode ${columns[0]}  decode ${columns[1]}`,
  )
}
if (kept === undefined) throw new Error('nothing was decoded')
