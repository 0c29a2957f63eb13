/** When the source began files of its, by their first events: seconds since 1970, its own clock. */
export interface FileTimes {
  /** The oldest file that the source has; null when it was not looked at. */
  readonly oldest: number | null
  /** The file that is named like the one that the spool ends in; null when not looked at. */
  readonly held: number | null
}
