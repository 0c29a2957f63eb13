export interface BinlogFile {
  readonly name: string
  readonly bytes: number
}
