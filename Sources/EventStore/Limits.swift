/// Every bound of the log in one place.
package enum Limits {
  /// Events of one batch, and of one block.
  package static let eventsPerBlock = 4_096
  /// Raw bytes after which a group takes no further batch.
  package static let groupBytes = 1 << 20
  /// Raw bytes of one batch, encoded; with `groupBytes` it bounds a block.
  package static let batchBytes = 8 << 20
  /// Raw bytes of a block's body; checked before memory is taken for it.
  package static let blockBytes = 16 << 20
  /// Bytes of a stream's name.
  package static let streamBytes = 255
  /// Bytes of a kind.
  package static let kindBytes = 127
  /// Lookup keys of one event, and bytes of one key.
  package static let lookupKeys = 8
  package static let lookupKeyBytes = 255
  /// Bytes of a payload, and of a sealed part.
  package static let partBytes = 1 << 20
  /// Bytes of a segment's dictionary.
  package static let dictionaryBytes = 8 << 10
  /// Bytes of a segment: fewer make no sense, more do not fit the index's offsets.
  package static let segmentBytes = (64 << 10)...(1 << 30)
  /// Bytes of a snapshot's payload; checked before memory is taken for it.
  package static let snapshotBytes = 256 << 20
  /// Events after which a segment is closed: opening and the index's memory cost by the event.
  package static let segmentEvents = 131_072
  /// Zeros that are written ahead of where the last segment ends, whenever its blocks have filled them.
  package static let aheadBytes = 256 << 10
  /// More than what a thread that is lent the writer has gathered usually takes as a block.
  package static let lentBytes = 16 << 10
  /// Bytes of a block with its header and padding.
  package static let blockExtent = 104 + blockBytes + 8
  /// Raw bytes after which a block of a sealed segment takes no further record.
  package static let sealedBlockBytes = 32 << 10
  /// Bytes that sealing and snapshots leave free beside what they need: the space is there for appends.
  package static let headroomBytes: UInt64 = 64 << 20
  /// Bytes of sections of indexes that are kept in memory.
  package static let indexCacheBytes = 64 << 20
  /// Bytes of blocks that a reader keeps decompressed, and at least one block.
  package static let blockCacheBytes = 8 << 20
  /// Files that are kept open for reading.
  package static let openFiles = 256
  /// How often a file that was replaced is looked for before its absence is an error.
  package static let looksForFile = 8
  /// Milliseconds after which a segment that could not be sealed is tried again.
  package static let sealRetryMilliseconds = 60_000
  /// ENOENT.
  package static let noSuchFile: Int32 = 2
  /// Bytes waiting in the writer's queue.
  package static let queueBytes = 64 << 20
  /// Milliseconds a `queued` event may wait for company.
  package static let lingerMilliseconds = 5
  /// Microseconds for which a group waits at most for those whom the last sync answered; never longer
  /// than that sync took.
  package static let gatherMicroseconds = 4_000
  /// Events that wake the writer while all it could do is to make a group greater.
  package static let eventsWorthWaking = 32
  /// Bytes of a bundle; events of it, those included of which it has the leaf only; bytes of them unpacked.
  package static let bundleBytes: UInt64 = 1 << 30
  package static let bundleEvents: UInt64 = 1 << 23
  package static let bundleRawBytes: UInt64 = 4 << 30
  /// Bytes of a bundle's note.
  package static let bundleNoteBytes = 4_096
  /// Bytes of the pieces whose digests make the digest of a bundle's part.
  package static let bundlePieceBytes = 1 << 20
  /// Milliseconds between a write and the start of the sync that covers it.
  package static let syncDelayMilliseconds = 20
  /// Milliseconds of quiet after which a block without events, and then the manifest, witness what is
  /// synced.
  package static let witnessDelayMilliseconds = 100
  /// Milliseconds after which the manifest is written also if the quiet never comes.
  package static let manifestDelayMilliseconds = 1_000
  /// Bytes of the reserve: more is not "a little space kept free".
  package static let reserveBytes = 1 << 30
  /// Milliseconds between two looks whether a full disk has space again.
  package static let probeMilliseconds = 1_000
  /// Positions, revisions, epochs and generations stay below: what is counted on from a number that
  /// a file gives never overflows.
  package static let numbers: UInt64 = 1 << 62
  /// How far the epoch is raised when no manifest survived to say which ones were used.
  package static let epochLeapWithoutManifest: UInt64 = 1 << 16
}
