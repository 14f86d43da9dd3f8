// What an engine counts, as an interface without a library behind it, and a registry for whoever has none.
//   in  -> names of this file, numbers, at most one label
//   out -> whatever the user exports to; `MetricsRegistry.snapshot()`
// The label is a method, a code, the name of a limit or a reason: never anything that a peer chose.

/** Only goes up. */
export type CounterName =
  /** Label: method. */
  | 'calls_served'
  /** Label: code. Calls of the peer that ended with an error. */
  | 'calls_refused'
  /** Label: method. */
  | 'calls_made'
  /** Label: code. Calls of this side that failed. */
  | 'calls_failed'
  /** Calls that were sent once more. Label: method. */
  | 'calls_retried'
  /** Label: method, or `unknown`. */
  | 'events_dropped'
  /** Label: the limit, as `limits` of `createServer` and `createClient` names it. */
  | 'limit_hits'
  /** Sessions that have lost their link and wait for another. */
  | 'sessions_parked'
  /** Sessions that have found another link. */
  | 'sessions_resumed'
  /** Attempts to resume a session that were refused. Label: why. */
  | 'resumes_refused'
  /** Label: the transport. */
  | 'connections_opened'
  /** Label: the code with which they ended. */
  | 'connections_closed'

export type GaugeName = 'connections' | 'memory_bytes' | 'event_loop_lag_ms'

export type HistogramName =
  /** From the last frame of a REQUEST to the handler's end, in milliseconds. Label: method. */
  | 'call_ms'
  /** Of PING and PONG, in milliseconds. */
  | 'round_trip_ms'

/** Takes what the engine counts. Called on hot paths: must be quick, must not throw. */
export interface Metrics {
  count(name: CounterName, label?: string): void
  gauge(name: GaugeName, value: number): void
  observe(name: HistogramName, value: number, label?: string): void
}

/** Upper bounds of the buckets of a histogram, in the unit of what is observed. */
export const bucketBounds: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
]

export interface HistogramSnapshot {
  readonly count: number
  readonly sum: number
  /** How many were at most the bound of the same index in `bucketBounds`; the last: all above. */
  readonly buckets: readonly number[]
}

export interface MetricsSnapshot {
  /** By `name`, or `name{label}`. */
  readonly counters: Readonly<Record<string, number>>
  readonly gauges: Readonly<Record<string, number>>
  readonly histograms: Readonly<Record<string, HistogramSnapshot>>
}

/** Keeps everything in memory, for a status page, a scraper, a test. */
export class MetricsRegistry implements Metrics {
  private readonly counters = new Map<string, number>()
  private readonly gauges = new Map<string, number>()
  private readonly histograms = new Map<string, { sum: number; buckets: number[] }>()

  count(name: CounterName, label?: string): void {
    const key = keyOf(name, label)
    this.counters.set(key, (this.counters.get(key) ?? 0) + 1)
  }

  gauge(name: GaugeName, value: number): void {
    this.gauges.set(name, value)
  }

  observe(name: HistogramName, value: number, label?: string): void {
    const key = keyOf(name, label)
    let histogram = this.histograms.get(key)
    if (histogram === undefined) {
      histogram = { sum: 0, buckets: new Array<number>(bucketBounds.length + 1).fill(0) }
      this.histograms.set(key, histogram)
    }
    const found = bucketBounds.findIndex((bound) => value <= bound)
    histogram.buckets[found === -1 ? bucketBounds.length : found]! += 1
    histogram.sum += value
  }

  /** The value of one counter; 0 if it was never counted. */
  counter(name: CounterName, label?: string): number {
    return this.counters.get(keyOf(name, label)) ?? 0
  }

  snapshot(): MetricsSnapshot {
    const histograms = [...this.histograms].map(([key, { sum, buckets }]) => {
      const count = buckets.reduce((total, bucket) => total + bucket, 0)
      return [key, { count, sum, buckets: [...buckets] }] as const
    })
    return {
      counters: Object.fromEntries(this.counters),
      gauges: Object.fromEntries(this.gauges),
      histograms: Object.fromEntries(histograms),
    }
  }
}

function keyOf(name: string, label: string | undefined): string {
  return label === undefined ? name : `${name}{${label}}`
}
