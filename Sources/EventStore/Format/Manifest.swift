/// A witness outside the segments: which epochs were used and what is known to be on stable storage.
///
/// Two slots are written alternately, so that one is whole at any moment; the newer whole one counts.
/// Losing both loses no event.
package struct Manifest: Sendable, Hashable {
  package var generation: UInt64
  package var storeID: UInt128
  package var epoch: UInt64
  /// Everything through here is on stable storage.
  package var synced: UInt64
  /// The chain value at `synced`.
  package var chain: Digest
  /// The machine's boot in which the last writer opened the store; at most 64 bytes.
  package var bootID: [UInt8]
  /// The last writer closed the store; `synced` is the end of the log.
  package var isClean: Bool
  /// The epoch in which the last writer opened the store; 0: not known.
  ///
  /// A block behind `synced` of an older epoch is of an older life of the disk.
  package var opened: UInt64
  /// The epoch of a life that the machine's stop may have cut short, while nobody noted that in the
  /// log; 0: none.
  package var gapAfter: UInt64 = 0

  static let magic: [UInt8] = [0x53, 0x42, 0x58, 0x4D, 0x41, 0x4E, 0x0D, 0x0A]
  static let bytes = 4_096
  package static let names = ["MANIFEST-A", "MANIFEST-B"]

  /// The slot for this generation.
  var name: String { Self.names[Int(generation % 2)] }

  package func encoded() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.bytes)
    bytes.withUnsafeMutableBytes { room in
      room.copyBytes(from: Self.magic)
      room.put(UInt32(1), 8)
      room[12] = isClean ? 1 : 0
      room[13] = UInt8(min(bootID.count, 64))
      room.putUUID(storeID, 16)
      room.put(generation, 32)
      room.put(epoch, 40)
      room.put(synced, 48)
      room.put(chain, 56)
      UnsafeMutableRawBufferPointer(rebasing: room[88..<152]).copyBytes(from: bootID.prefix(64))
      room.put(opened, 152)
      room.put(gapAfter, 160)
      let end = Self.bytes - 4
      room.put(crc32c(UnsafeRawBufferPointer(room).slice(0..<end)), end)
    }
    return bytes
  }

  /// Nil unless `bytes` is a whole slot.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.bytes else { return nil }
    let parsed = bytes.withUnsafeBytes { all -> Manifest? in
      let end = Self.bytes - 4
      guard all.prefix(8).elementsEqual(Self.magic), all.u32(8) == 1, all[12] <= 1, all[13] <= 64,
        crc32c(all.slice(0..<end)) == all.u32(end),
        [32, 40, 48, 152, 160].allSatisfy({ all.u64($0) < Limits.numbers })
      else { return nil }
      var manifest = Manifest(
        generation: all.u64(32), storeID: all.uuid(16), epoch: all.u64(40), synced: all.u64(48),
        chain: all.digest(56), bootID: Array(all.slice(88..<(88 + Int(all[13])))),
        isClean: all[12] == 1, opened: all.u64(152))
      manifest.gapAfter = all.u64(160)
      return manifest
    }
    guard let parsed else { return nil }
    self = parsed
  }

  package init(
    generation: UInt64, storeID: UInt128, epoch: UInt64, synced: UInt64, chain: Digest,
    bootID: [UInt8], isClean: Bool, opened: UInt64 = 0
  ) {
    self.generation = generation
    self.storeID = storeID
    self.epoch = epoch
    self.synced = synced
    self.chain = chain
    self.bootID = Array(bootID.prefix(64))
    self.isClean = isClean
    self.opened = opened
  }
}
