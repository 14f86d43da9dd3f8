// Every limit of Callbox: its name, unit, default, and what the presets change.
//   in  -> a preset name, or an object with `preset` and single values
//   out -> `Limits`, complete and frozen
// Limits that the wire names (`maxFrame`, `maxMessage`, `maxMeta`, `window`) are in bytes.

export interface Limits {
  /** Largest message (one input, output or item), in bytes. */
  readonly maxMessage: number
  /** Largest frame, header included, in bytes. 16,384 to 66,560. */
  readonly maxFrame: number
  /** Largest HELLO, in bytes. */
  readonly maxHello: number
  /** Calls that a client may send behind HELLO, before it has been let in. */
  readonly maxPipelinedCalls: number
  /** Bytes of those calls together. */
  readonly maxPipelinedBytes: number
  /** WebSocket frames into which the peer may cut one message. */
  readonly maxFragments: number
  /** Deepest nesting of a payload. */
  readonly maxDepth: number
  /** Containers, keys and values of one payload, counted together. */
  readonly maxNodes: number
  /** Keys of one map in a payload. */
  readonly maxKeys: number
  /** Largest metadata of one message, in bytes. */
  readonly maxMeta: number
  /** Entries of one message's metadata. */
  readonly maxMetaEntries: number
  /** Calls that the peer may have running here at once; each holds a slot until its handler settles. */
  readonly maxCalls: number
  /** Calls that may wait here until the peer has a slot, or until there is a connection. */
  readonly maxQueuedCalls: number
  /** Bytes that the peer may send on one stream before the application takes any. At least 131,072. */
  readonly window: number
  /** What every counted frame costs of a window besides its metadata and payload, in bytes. */
  readonly frameCost: number
  /** Unsent bytes at a link above which nothing more is handed to it. */
  readonly maxFed: number
  /** Unsent bytes at a link above which the peer is a slow consumer and is cut. */
  readonly maxUnsent: number
  /** Milliseconds without progress of unsent bytes (1 KiB per 10 s) after which it is one, too. */
  readonly stallMs: number
  /**
   * Bytes that a connection may hold decoded, and that it may be granted beyond the initial windows.
   * Default: the larger of 8 MiB and twice `maxMessage`.
   */
  readonly receiveBudget: number
  /** Bytes that all connections of this process may hold together. */
  readonly processBudget: number
  /** Milliseconds that a REQUEST may wait for the budget before it is refused. */
  readonly admissionMs: number
  /** Calls that the peer may cancel or spoil at first; 100 more each second, 1 for each that ends well. */
  readonly resetBudget: number
  /** AUTH, LIMITS and tiny CREDIT of the peer that are free at first; one more each second. */
  readonly controlBudget: number
  /** Milliseconds from accept to an authenticated HELLO, over all layers; bytes do not extend it. */
  readonly handshakeMs: number
  /** Milliseconds within which a frame whose first byte has come must be complete. */
  readonly frameMs: number
  /** Bytes of sent frames kept until the peer acknowledges them. */
  readonly replayRing: number
  /**
   * Milliseconds that a session lives without a link: the server's value holds. 0: it ends with its
   * link.
   */
  readonly sessionGraceMs: number
  /** Bytes that all sessions of this process may hold while they have no link. */
  readonly parkedBudget: number
  /**
   * Milliseconds after which a server asks a client to connect anew, 10 % more or less by chance.
   * 0: never.
   */
  readonly maxConnectionAgeMs: number
  /** Milliseconds that a stream of this side may wait for credit that does not come. 0: for ever. */
  readonly streamStallMs: number
  /** Received bytes after which an acknowledgment is sent at once. */
  readonly ackBytes: number
  /** Milliseconds that an owed acknowledgment may wait. */
  readonly ackMs: number
  /** Default deadline of a unary call, in milliseconds. */
  readonly callTimeoutMs: number
  /** Longest that a unary call may run at the callee, in milliseconds, whatever its caller says. */
  readonly maxCallMs: number
  /** Largest data of a declared error, in bytes. */
  readonly maxErrorData: number
  /** Silence after which a PING is sent, in milliseconds. */
  readonly pingIntervalMs: number
  /** Silence after that PING until the link is given up, in milliseconds. */
  readonly pingTimeoutMs: number
  /** PINGs of the peer that are free at first; one more each second. */
  readonly pingBurst: number
  /**
   * First delay of reconnecting, in milliseconds; doubles with each attempt, with full jitter, up to
   * the time that the server has been away. After a lost link the first is four times as long.
   */
  readonly reconnectMs: number
  /** Longest delay of reconnecting, in milliseconds. */
  readonly maxReconnectMs: number
  /** Times that a call is sent at most, the first included. */
  readonly maxAttempts: number
  /** First delay of sending a call again, in milliseconds; doubles each time, with full jitter. */
  readonly retryMs: number
  /** Longest delay of sending a call again, in milliseconds. */
  readonly maxRetryMs: number
  /** Calls that a client may send again at first; a tenth more for each call that it makes. */
  readonly retryBudget: number
  /** Lag of the event loop above which a server refuses new calls, in milliseconds. */
  readonly maxLagMs: number
  /** Milliseconds for which the median lag must be above `maxLagMs`. */
  readonly lagMs: number
  /** Milliseconds that one attempt to connect may take, handshake included. */
  readonly connectMs: number
  /** Connections of one listener at once. A server stays below 0.8 of the descriptor limit, too. */
  readonly maxConnections: number
  /** Connections of a server that are not authenticated yet. */
  readonly maxPreAuth: number
}

export type LimitsPreset = 'internet' | 'internal' | 'game' | 'fast'

/** A preset, or a preset (default `internet`) with single values changed. */
export type LimitsOption =
  | LimitsPreset
  | ({ readonly preset?: LimitsPreset | undefined } & {
      readonly [K in keyof Limits]?: Limits[K] | undefined
    })

const KiB = 1024
const MiB = 1024 * KiB

/** `internet`: every peer is hostile. */
const internet: Limits = Object.freeze({
  maxMessage: 4 * MiB,
  maxFrame: 65 * KiB,
  maxHello: 16 * KiB,
  maxPipelinedCalls: 16,
  maxPipelinedBytes: 64 * KiB,
  maxFragments: 128,
  maxDepth: 64,
  maxNodes: 262_144,
  maxKeys: 32_768,
  maxMeta: 8 * KiB,
  maxMetaEntries: 64,
  maxCalls: 256,
  maxQueuedCalls: 1_024,
  window: 256 * KiB,
  frameCost: 64,
  maxFed: 64 * KiB,
  maxUnsent: 4 * MiB,
  stallMs: 30_000,
  receiveBudget: 8 * MiB,
  processBudget: 256 * MiB,
  admissionMs: 5_000,
  resetBudget: 200,
  controlBudget: 10,
  handshakeMs: 5_000,
  frameMs: 30_000,
  replayRing: 4 * MiB,
  sessionGraceMs: 30_000,
  parkedBudget: 64 * MiB,
  maxConnectionAgeMs: 0,
  streamStallMs: 0,
  ackBytes: 64 * KiB,
  ackMs: 100,
  callTimeoutMs: 30_000,
  maxCallMs: 300_000,
  maxErrorData: 8 * KiB,
  pingIntervalMs: 15_000,
  pingTimeoutMs: 10_000,
  pingBurst: 10,
  reconnectMs: 250,
  maxReconnectMs: 30_000,
  maxAttempts: 3,
  retryMs: 100,
  maxRetryMs: 2_000,
  retryBudget: 10,
  maxLagMs: 100,
  lagMs: 1_000,
  connectMs: 10_000,
  maxConnections: 10_000,
  maxPreAuth: 1_000,
})

const presets: Readonly<Record<LimitsPreset, Partial<Limits>>> = {
  internet: {},
  internal: { maxMessage: 16 * MiB, maxCalls: 1_024, pingIntervalMs: 10_000, pingTimeoutMs: 5_000 },
  game: {
    maxMessage: 64 * KiB,
    maxCalls: 64,
    pingIntervalMs: 5_000,
    pingTimeoutMs: 5_000,
    maxUnsent: 256 * KiB,
    sessionGraceMs: 60_000,
  },
  fast: { pingIntervalMs: 1_000, pingTimeoutMs: 2_000 },
}

/** What the protocol allows: [least, most]. The others may be any positive integer. */
const ranges: Partial<Record<keyof Limits, readonly [number, number]>> = {
  maxFrame: [16 * KiB, 65 * KiB],
  window: [128 * KiB, 2 ** 31 - 1],
  replayRing: [256 * KiB, 2 ** 31 - 1],
  maxMessage: [1, 2 ** 30],
  receiveBudget: [0, 2 ** 31 - 1],
  sessionGraceMs: [0, 2 ** 31 - 1],
  maxConnectionAgeMs: [0, 2 ** 31 - 1],
  streamStallMs: [0, 2 ** 31 - 1],
  // A slot cannot be promised that does not exist, and ids are counted below 2^30.
  maxCalls: [1, 2 ** 20],
}

/**
 * Fills in and checks limits, once, at the edge.
 * Throws RangeError with the name of an option that is unknown, not a number, or out of range.
 */
export function resolveLimits(option: LimitsOption = 'internet'): Limits {
  const { preset = 'internet', ...single } =
    typeof option === 'string' ? { preset: option } : option
  if (!Object.hasOwn(presets, preset)) throw new RangeError(`limits: no preset '${String(preset)}'`)
  const limits: Record<string, number> = { ...internet, ...presets[preset] }
  for (const [name, value] of Object.entries(single)) {
    if (value === undefined) continue
    if (!Object.hasOwn(internet, name)) throw new RangeError(`limits: no limit '${name}'`)
    const [least, most] = ranges[name as keyof Limits] ?? [1, Number.MAX_SAFE_INTEGER]
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RangeError(`limits.${name} must be an integer from ${least} to ${most}`)
    limits[name] = value
  }
  // A message must fit beside another one that nobody has read.
  if (single.receiveBudget === undefined)
    limits['receiveBudget'] = Math.max(8 * MiB, 2 * limits['maxMessage']!)
  return Object.freeze(limits) as unknown as Limits
}
