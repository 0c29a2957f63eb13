const GTIDS_SHOWN_LENGTH_MAX = 250

/** MySQL cuts an error text at 512 bytes, so a long set is cut first, visibly. */
export function shortGtids(text: string): string {
  if (text.length <= GTIDS_SHOWN_LENGTH_MAX) return text
  return `${text.slice(0, GTIDS_SHOWN_LENGTH_MAX)}... (cut)`
}
