import { loadConfig } from '../../gateway/config/load-config.ts'
import { type ReplicaPlace, replicaPlace } from '../../gateway/replica-place.ts'
import { chooseStream } from '../../gateway/stream-choice.ts'
import { loadTerm } from '../../gateway/term-file.ts'

/**
 * The replica of a copy as its configuration says, and its newest term on disk: for a command
 * without a gateway. Throws ERR_CONFIG, ERR_TERM_FILE, ERR_STREAM_UNKNOWN and ERR_USAGE.
 */
export async function placeHere(path: string, name: string | undefined): Promise<ReplicaPlace> {
  const config = await loadConfig(path)
  const stream = chooseStream(config.streams, name)
  const { site, dataDir } = config
  const { record } = await loadTerm({ site, dataDir, stream })
  const { database } = stream
  return await replicaPlace({ site, dataDir, origin: record.origin, stream, database })
}
