// What clients in browsers have where their options do not say: msgpack alone.

import { msgpackCodec } from '@callbox/core/msgpack'
import type { Defaults } from './options.ts'

export const defaults: Defaults = { msgpack: msgpackCodec, codecs: [] }
