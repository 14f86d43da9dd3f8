// What one connection has open and holds at this moment, for people who look and tests that count.
//   in  -> (the parts of a connection fill it in)
//   out -> plain numbers, safe to log
// Types only.

/** One connection, seen from one side. All sizes in bytes. */
export interface ConnectionSnapshot {
  /** `memory`, `tcp`, `tls`, `unix`, `ws`, `wss`. */
  readonly transport: string
  readonly remoteAddress?: string | undefined
  /** It has lost its link and waits for another. */
  readonly parked: boolean
  readonly calls: {
    /** Made by this side and not settled; of these `waitingForSlot` have not gone out. */
    readonly made: number
    readonly waitingForSlot: number
    /** Of the peer, whose handlers run or whose answers have not gone. */
    readonly served: number
    /** Calls and events of the peer that wait for the receive budget. */
    readonly waitingForBudget: number
  }
  /** Events that wait for credit or for the link. */
  readonly eventsQueued: number
  /** Streams and answers that wait for their turn at the link. */
  readonly queued: number
  readonly bytes: {
    /** Received, not decoded. */
    readonly buffered: number
    /** Decoded, in the hands of handlers and readers; 64 a node beside the bytes. */
    readonly held: number
    /** Encoded, waiting for credit or for the socket. */
    readonly waiting: number
    /** Sent, not acknowledged. */
    readonly ring: number
    /** Handed to the link, not sent. */
    readonly unsent: number
    /** Credit granted beyond the initial windows. */
    readonly reserved: number
  }
  readonly windows: {
    /** Windows of streams that are being tuned, and the largest of them. */
    readonly tuned: number
    readonly largest: number
    /** Windows whose credit waits for the receive budget. */
    readonly waiting: number
  }
  /** Least round trip seen, in milliseconds; undefined before the first sample. */
  readonly roundTripMs: number | undefined
}

/** A client. */
export interface ClientSnapshot {
  readonly state: string
  /** Calls that wait for a connection. */
  readonly waiting: number
  readonly connection: ConnectionSnapshot | undefined
  /** Connections that finish what runs after the server has told us to leave. */
  readonly leaving: number
  /** Calls that may be sent again now. */
  readonly retryBudget: number
  readonly timers: number
  /** Held by all clients and servers of this process. */
  readonly processBytes: number
}

/** A server. */
export interface ServerSnapshot {
  readonly listeners: number
  /** Links whose handshake is not through. */
  readonly arriving: number
  readonly connections: readonly ConnectionSnapshot[]
  readonly timers: number
  /** Held by all clients and servers of this process. */
  readonly processBytes: number
  /** Median lag of the event loop within the last second. */
  readonly lagMs: number
}
