/*
 * Variables that only a relay has. `replica attach` reads them over its login there.
 */

/** A user variable: the replica, by its key, that the question is about. */
export const REPLICA_ASKED_FOR = 'landbridge_replica'
/** A system variable: the standing of that replica. */
export const REPLICA_STANDING = 'landbridge_replica_standing'
