// What clients on Node have where their options do not say: msgpackr, and the compact codec.

import { compact } from '@callbox/core/compact'
import { msgpackCodec } from '@callbox/core/msgpack'
import type { Defaults } from './options.ts'

export const defaults: Defaults = { msgpack: msgpackCodec, codecs: [compact()] }
