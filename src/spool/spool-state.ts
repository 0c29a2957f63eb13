/**
 * A spool in the hands of its writer.
 *
 *     closed ──open──▶ recovering ──whole again──▶ taking ──disk failed, bytes refused──▶ broken
 *       ▲ ▲                │                       │  ▲                                   │  │
 *       │ └─────fails──────┘                       │  └──────────cut back (rewind)────────┘  │
 *       └───────────────────close──────────────────┴─────────────────────────────────────────┘
 */
export type SpoolState =
  /** Nobody here has the fence. */
  | { readonly state: 'closed' }
  /** `sinceMs`: wall clock. */
  | { readonly state: 'recovering'; readonly sinceMs: number }
  | { readonly state: 'taking' }
  /** Bytes that come are dropped: behind what is missing there would be a hole. */
  | { readonly state: 'broken' }
