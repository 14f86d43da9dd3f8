// HELLO and WELCOME: what both sides state, and what ends a connection before it begins.
//   in  -> a raw client, a raw server
//   out -> cases C10, C13 to C19, C24, C25

import { contractHash } from '@callbox/core'
import {
  hex,
  rawData,
  rawFrame,
  rawGoAway,
  rawHello,
  rawRequest,
  rawWelcome,
} from '../raw-frames.ts'
import { toMsgpack } from '../raw-msgpack.ts'
import type { Ending, WireCase } from './case.ts'
import { conf } from './contract.ts'
import { answered, Code, expects, send } from './steps.ts'

const protocol = { goAway: Code.protocol }
const limits = {
  maxFrame: 66_560,
  maxMessage: 4_194_304,
  maxMeta: 8_192,
  maxCalls: 256,
  window: 262_144,
}
const version = (fields: string): Uint8Array =>
  rawFrame(0x01, 0, 0, hex(`43424f58 ${fields}`), rawHello().subarray(14))

const refusal = (id: string, title: string, frame: Uint8Array, ends: Ending): WireCase => ({
  id,
  title,
  where: 'L',
  tests: 'server',
  handshake: false,
  steps: [send(frame)],
  ends,
})

const sorted = Object.keys(conf)
  .filter((key) => key !== 'client')
  .toSorted()

const serverCases: readonly WireCase[] = [
  {
    id: 'C13',
    title: 'WELCOME states limits, name, version and keepalive',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [
      send(rawHello()),
      expects({
        frame: 'WELCOME',
        minor: 0,
        map: {
          codec: 'msgpack',
          limits,
          keepalive: { intervalMs: 15_000, timeoutMs: 10_000 },
          resumed: false,
          server: { name: 'callbox', version: '' },
        },
      }),
      ...answered(1),
    ],
  },
  refusal('C14', 'a first frame that is not HELLO', rawRequest({ id: 1, method: 'conf.nothing' }), {
    ...protocol,
    reason: 'HELLO',
  }),
  refusal('C14', 'HELLO with another magic', rawFrame(0x01, 0, 0, hex('43424f59 01000000 80')), {
    ...protocol,
    reason: 'HELLO',
  }),
  refusal('C14', 'HELLO whose map is no map', rawFrame(0x01, 0, 0, hex('43424f58 01000000 90')), {
    ...protocol,
    reason: 'map',
  }),
  refusal('C76', 'a stated window of 64 KiB', rawHello({ limits: { ...limits, window: 65_536 } }), {
    ...protocol,
    reason: 'window',
  }),
  refusal('C17', 'another major version', version('02 00 00 00'), {
    ...protocol,
    reason: 'version',
    versions: [1, 0, 0],
  }),
  refusal('C18', 'a range of minor versions without overlap', version('01 01 02 00'), {
    ...protocol,
    reason: 'version',
    versions: [1, 0, 0],
  }),
  {
    id: 'C18',
    title: 'minor versions 0 to 3: the highest of both is used',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [send(version('01 00 03 00')), expects({ frame: 'WELCOME', minor: 0 }), ...answered(1)],
  },
  refusal(
    'C19',
    'no common codec: the reason names both lists',
    rawHello({ codecs: ['other', 'third1', 'not a name'] }),
    { ...protocol, reason: ['msgpack', 'here', 'other, third1 there'] },
  ),
  refusal('C19', 'no codec at all', rawHello({ codecs: [] }), {
    ...protocol,
    reason: 'none there',
  }),
  {
    id: 'C15',
    title: 'a second HELLO',
    where: 'L',
    tests: 'server',
    steps: [send(rawHello())],
    ends: protocol,
  },
  {
    id: 'C15',
    title: 'WELCOME from a client',
    where: 'L',
    tests: 'server',
    steps: [send(rawWelcome())],
    ends: protocol,
  },
  {
    id: 'C24',
    title: 'equal hashes: no names, ids by sorted name',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [
      send(rawHello({ contracts: [['conf', contractHash(conf)]] })),
      expects({ frame: 'WELCOME', without: ['methods'] }),
      send(rawRequest({ id: 1, method: sorted.indexOf('strict'), value: { n: 4 } })),
      expects({ frame: 'DATA', id: 1, value: 4 }),
      send(rawRequest({ id: 3, method: sorted.length, value: { n: 4 } })),
      expects({ frame: 'ERROR', id: 3, code: Code.unimplemented, processed: 'no' }),
    ],
  },
  {
    id: 'C25',
    title: 'another hash: the server names its methods; one that it does not serve has none',
    where: 'L',
    tests: 'server',
    handshake: false,
    steps: [
      send(
        rawHello({
          contracts: [
            ['stranger', '0000000000000000'],
            ['conf', '0000000000000000'],
          ],
        }),
      ),
      expects({ frame: 'WELCOME', map: { methods: { stranger: [] } } }),
      // The stranger takes no ids.
      send(rawRequest({ id: 1, method: sorted.indexOf('strict'), value: { n: 5 } })),
      expects({ frame: 'DATA', id: 1, value: 5 }),
      send(rawRequest({ id: 3, method: 'conf.strict', value: { n: 6 } })),
      expects({ frame: 'DATA', id: 3, value: 6 }),
      send(rawRequest({ id: 5, method: 'stranger.strict', value: { n: 6 } })),
      expects({ frame: 'ERROR', id: 5, code: Code.unimplemented, processed: 'no' }),
    ],
  },
]

/** A client whose server answers HELLO with something else. */
const refused = (
  id: string,
  title: string,
  answer: Uint8Array,
  error: { readonly code: string; readonly text?: readonly string[] },
): WireCase => ({
  id,
  title,
  where: 'L',
  tests: 'client',
  handshake: false,
  steps: [
    { do: 'call', call: { name: 'a', method: 'notes' } },
    expects({ frame: 'HELLO' }),
    send(answer),
    { do: 'settles', call: { name: 'a', error: { ...error, processed: 'no' } } },
  ],
  ends: { closed: true },
  staysAway: true,
})

const clientCases: readonly WireCase[] = [
  {
    id: 'C13',
    title: 'HELLO states limits, name, version and contracts',
    where: 'L',
    tests: 'client',
    handshake: false,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({
        frame: 'HELLO',
        map: {
          client: { name: 'callbox', version: '' },
          contracts: [['conf', contractHash(conf)]],
          limits,
        },
      }),
      send(rawWelcome()),
      // Equal hashes: it calls by id.
      expects({ frame: 'REQUEST', id: 1 }),
      send(rawData(1, [4], true)),
      { do: 'settles', call: { name: 'a', value: [4] } },
    ],
  },
  {
    id: 'C10',
    title: 'unknown keys in the map of WELCOME are ignored',
    where: 'L',
    tests: 'client',
    handshake: false,
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'HELLO' }),
      send(rawWelcome({ later: { a: [1] }, caps: 0x7fffffff })),
      expects({ frame: 'REQUEST', id: 1 }),
      send(rawData(1, [], true)),
      { do: 'settles', call: { name: 'a', value: [] } },
    ],
  },
  refused(
    'C17',
    'GOAWAY with another range of versions: the error names both',
    rawFrame(
      0x06,
      0,
      0,
      hex('23 00 0000 00000000'),
      toMsgpack({ reason: 'version 1 of the peer is not version 2', versions: [2, 0, 0] }),
    ),
    { code: 'protocol', text: ['1', '2'] },
  ),
  refused(
    'C17',
    'WELCOME of another major version: the error names both',
    rawFrame(0x02, 0, 0, hex('02 00 0000'), rawWelcome().subarray(10)),
    { code: 'protocol', text: ['1', '2'] },
  ),
  refused(
    'C18',
    'WELCOME with a minor version that was not offered',
    rawFrame(0x02, 0, 0, hex('01 03 0000'), rawWelcome().subarray(10)),
    { code: 'protocol' },
  ),
  refused('C19', 'WELCOME with a codec that was not offered', rawWelcome({ codec: 'other' }), {
    code: 'protocol',
  }),
  refused('C14', 'a first frame that is not WELCOME', rawData(1, 1), { code: 'protocol' }),
  refused('C15', 'HELLO from a server', rawHello(), { code: 'protocol' }),
  refused('C20', 'GOAWAY before WELCOME', rawGoAway(Code.unauthenticated, 0, { reason: 'no' }), {
    code: 'unauthenticated',
    text: ['no'],
  }),
  {
    id: 'C15',
    title: 'a second WELCOME',
    where: 'L',
    tests: 'client',
    steps: [
      { do: 'call', call: { name: 'a', method: 'notes' } },
      expects({ frame: 'REQUEST', id: 1 }),
      send(rawWelcome()),
      { do: 'settles', call: { name: 'a', error: { code: 'protocol', processed: 'unknown' } } },
    ],
    ends: protocol,
  },
]

export const handshakeCases: readonly WireCase[] = [...serverCases, ...clientCases]
