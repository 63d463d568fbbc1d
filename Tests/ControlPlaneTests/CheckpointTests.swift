import Crypto
import Domain
import EventStore
import FoundationEssentials
import Glibc
import Logging
import Testing

@testable import ControlPlane

/// Signatures over the log: what they cover, when they are made, and what keeps them from being made.
struct CheckpointTests {
  private func signer(_ box: TestBox, spanEvents: UInt64 = 1000) -> CheckpointSigner {
    CheckpointSigner(
      control: box.control, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      spanEvents: spanEvents, stopping: .seconds(3600))
  }

  private func checkpoints(
    _ reader: LogReader
  ) throws -> [(position: UInt64, fact: GatewayEvent.CheckpointSigned)] {
    try reader.events(ofStream: gatewayStream, from: Revision(1)).compactMap { stored in
      guard case .gateway(.checkpointSigned(let fact)) = try recorded(stored).event else {
        return nil
      }
      return (stored.position.rawValue, fact)
    }
  }

  /// Appends an event that changes no configuration.
  private func live(_ box: TestBox, _ count: Int = 1) async throws {
    for _ in 0..<count {
      try await box.control.record([.gateway(.gapOpened(.init(reason: "test")))])
    }
  }

  /// Checks every checkpoint of a log by other means than those that made it, and that each begins
  /// where the one before ended.
  private func check(_ reader: LogReader) throws {
    var previous: UInt64 = 0
    for (position, fact) in try checkpoints(reader) {
      let key = try Curve25519.Signing.PublicKey(rawRepresentation: fact.publicKey)
      let statement = fact.statement(store: reader.storeID)
      #expect(key.isValidSignature(fact.signature, for: Array(statement.utf8)))
      #expect(fact.previous == previous && fact.position < position)
      #expect(try reader.chainValue(at: Position(fact.position)).bytes == fact.chain)
      let leaves = try reader.leaves(from: Position(previous + 1), through: Position(fact.position))
      #expect(leaves.count == Int(fact.position - fact.previous))
      #expect(MerkleTree.root(of: leaves).bytes == fact.root)
      #expect(try reader.event(at: Position(fact.position))?.epoch.rawValue == fact.epoch)
      previous = fact.position
    }
  }

  @Test func `a checkpoint covers what came before it, and its own event is nothing new`()
    async throws
  {
    try await TestBox.with { box in
      let signer = signer(box)
      let before = box.store.lastDurable.rawValue
      #expect(await signer.step() == false)
      #expect(box.store.lastDurable.rawValue == before + 1)
      for _ in 0..<3 {
        box.clock.advance(seconds: 601)
        #expect(await signer.step() == false)
      }
      #expect(try await signer.sign() == nil)
      let made = try checkpoints(box.store.reader)
      #expect(made.map(\.fact.position) == [before] && made.map(\.position) == [before + 1])
      try check(box.store.reader)
    }
  }

  @Test
  func
    `something new is signed when ten minutes are over, not before, also if the clock went back`()
    async throws
  {
    try await TestBox.with { box in
      let signer = signer(box)
      await signer.step()
      try await live(box)
      box.clock.advance(seconds: 599)
      await signer.step()
      #expect(try checkpoints(box.store.reader).count == 1)
      box.clock.advance(seconds: 1)
      await signer.step()
      #expect(try checkpoints(box.store.reader).count == 2)
      try await live(box)
      box.clock.advance(seconds: -100_000)
      await signer.step()
      #expect(try checkpoints(box.store.reader).count == 3)
      try check(box.store.reader)
    }
  }

  @Test func `a full span is signed at once, a backlog in spans`() async throws {
    try await TestBox.with { box in
      let signer = signer(box, spanEvents: 8)
      while await signer.step() {}
      let count = try checkpoints(box.store.reader).count
      // With the checkpoint before that makes seven.
      try await live(box, 6)
      #expect(await signer.step() == false)
      #expect(try checkpoints(box.store.reader).count == count)
      try await live(box, 11)
      #expect(await signer.step() == true)
      #expect(await signer.step() == false)
      #expect(try checkpoints(box.store.reader).count == count + 2)
      try await live(box, 50)
      let signed = try #require(try await signer.sign())
      #expect(signed.count == 7)
      #expect(
        try checkpoints(box.store.reader).allSatisfy { $0.fact.position - $0.fact.previous <= 8 })
      try check(box.store.reader)
    }
  }

  @Test func `another life goes on where the one before ended, with the same key`() async throws {
    try await withDirectory { directory in
      for life in 0..<3 {
        let box = try await TestBox.open(directory)
        let signer = signer(box, spanEvents: 5)
        try await box.control.noteStart(
          GatewayLife(version: "1", recording: .standard, listen: "127.0.0.1:1"))
        await signer.step()
        try await live(box, life)
        try await box.control.noteStop(reason: "test", cutRequests: 0)
        await signer.finish()
        let last = try #require(try checkpoints(box.store.reader).last)
        let stopped = try box.store.reader.event(at: Position(last.fact.position))
        #expect(stopped?.kind == "gateway.stopped.v1" || last.fact.position > 0)
        #expect(try await signer.sign() == nil)
        try check(box.store.reader)
        try box.store.close()
      }
      let reader = try LogReader.open(directory: directory)
      let made = try checkpoints(reader)
      #expect(Set(made.map(\.fact.publicKey)).count == 1)
      // After a clean stop only checkpoints are left uncovered.
      let covered = try #require(made.last).fact.position
      for position in (covered + 1)...reader.last.rawValue {
        #expect(try reader.event(at: Position(position))?.kind == "gateway.checkpoint_signed.v1")
      }
    }
  }

  @Test
  func `the key is kept sealed and private, and its public half can be read beside a gateway`()
    async throws
  {
    try await TestBox.with { box in
      #expect(try box.control.vault.checkpointPublicKey() == nil)
      _ = try await signer(box).sign()
      let path = "\(box.directory)/keys/checkpoint.key"
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      let master = try #require(
        try MasterKey.load(text: nil, file: nil, directory: box.directory, mayCreate: false))
      let beside = try Vault(directory: box.directory, masterKey: master, mayWrite: false)
      let made = try #require(try checkpoints(box.store.reader).first)
      #expect(try beside.checkpointPublicKey() == made.fact.publicKey)
      // Under another master key it does not open, and the vault says which is wrong.
      #expect(throws: VaultError.self) {
        _ = try Vault(directory: box.directory, masterKey: .ephemeral(), mayWrite: false)
      }
    }
  }

  @Test func `a key that does not open stops no change, and is tried again a minute later`()
    async throws
  {
    try await TestBox.with { box in
      let signer = signer(box)
      let path = "\(box.directory)/keys/checkpoint.key"
      try KeyFile.write(Array("SBK1nothing".utf8), to: path, directory: "\(box.directory)/keys")
      #expect(await signer.step() == false)
      try await live(box)
      try FileManager.default.removeItem(atPath: path)
      box.clock.advance(seconds: 59)
      await signer.step()
      #expect(try checkpoints(box.store.reader).isEmpty)
      box.clock.advance(seconds: 1)
      await signer.step()
      #expect(try checkpoints(box.store.reader).count == 1)
      try check(box.store.reader)
    }
  }

  @Test func `a log that is not the one that was signed gets no new signature`() async throws {
    try await TestBox.with { box in
      let covered = box.store.lastDurable.rawValue
      try await box.control.record([
        .gateway(
          .checkpointSigned(
            .init(
              position: covered, epoch: 1, chain: [UInt8](repeating: 7, count: 32), previous: 0,
              root: [UInt8](repeating: 7, count: 32), publicKey: [UInt8](repeating: 7, count: 32),
              signature: [UInt8](repeating: 7, count: 64))))
      ])
      try await live(box)
      let error = await #expect(throws: ControlError.self) { try await signer(box).sign() }
      #expect(error?.description.contains("does not follow") == true)
      #expect(try checkpoints(box.store.reader).count == 1)
    }
  }

  /// What somebody can do to a log between two lives who can write the directory and has no key.
  private enum Tampering: String, CaseIterable {
    case rewritten, rewrittenWithoutCheckpoints, olderCopy, olderCopyAllSigned, cutOff
    case anotherKeysCheckpoints
  }

  @Test(arguments: Tampering.allCases)
  private func
    `a log that was replaced between two lives is not signed, whatever it says of itself`(
      _ tampering: Tampering
    ) async throws
  {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory)
      _ = try await signer(box).sign()
      // In a copy without, nothing is new by what the log says of itself.
      if tampering != .olderCopyAllSigned { try await live(box, 3) }
      try box.store.close()
      let older = directory + "/older"
      let log = directory + "/seg"
      try FileManager.default.copyItem(atPath: log, toPath: older)
      let again = try await TestBox.open(directory)
      try await live(again, 40)
      _ = try await signer(again).sign()
      try again.store.close()

      try FileManager.default.removeItem(atPath: log)
      try FileManager.default.copyItem(atPath: older, toPath: log)
      for name in try FileManager.default.contentsOfDirectory(atPath: directory)
      where !["seg", "keys", "FORMAT", "older"].contains(name) {
        try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
      }
      if tampering == .rewrittenWithoutCheckpoints {
        // All of it made anew; only what says which log it is has to be the old one.
        for name in try FileManager.default.contentsOfDirectory(atPath: log) {
          try FileManager.default.removeItem(atPath: "\(log)/\(name)")
        }
      }
      let forged = try await TestBox.open(directory)
      switch tampering {
      case .rewritten, .rewrittenWithoutCheckpoints: try await live(forged, 80)
      case .olderCopy, .olderCopyAllSigned: break
      case .cutOff: try await live(forged, 1)
      case .anotherKeysCheckpoints:
        try await live(forged, 60)
        let key = Curve25519.Signing.PrivateKey()
        let (reader, last) = (forged.store.reader, forged.store.lastDurable)
        var fact = GatewayEvent.CheckpointSigned(
          position: last.rawValue, epoch: forged.store.epoch.rawValue,
          chain: try reader.chainValue(at: last).bytes, previous: 0,
          root: MerkleTree.root(of: try reader.leaves(from: Position(1), through: last)).bytes,
          publicKey: [UInt8](key.publicKey.rawRepresentation), signature: [])
        fact.signature = [UInt8](
          try key.signature(for: Array(fact.statement(store: reader.storeID).utf8)))
        try await forged.control.record([.gateway(.checkpointSigned(fact))])
        try await live(forged)
      }
      let before = forged.store.lastDurable
      let error = await #expect(throws: ControlError.self) { try await signer(forged).sign() }
      let said = error?.description ?? ""
      #expect(said.contains("not what was signed") && said.contains("remove keys/checkpoint.key"))
      let isShort = [.olderCopy, .olderCopyAllSigned, .cutOff].contains(tampering)
      #expect(said.contains(isShort ? "cut off" : "changed"), "\(said)")
      // Nor does a gateway sign it by itself, and what it does else goes on.
      #expect(await signer(forged).step() == false)
      #expect(forged.store.lastDurable == before)
      // A new key is no secret way around it: whoever verifies with the old one is told.
      try FileManager.default.removeItem(atPath: "\(directory)/keys/checkpoint.key")
      try await live(forged)
      _ = try #require(try await signer(forged).sign())
      let keys = try checkpoints(forged.store.reader).map(\.fact.publicKey)
      #expect(keys.last != keys.first || tampering == .rewrittenWithoutCheckpoints)
      try forged.store.close()
    }
  }

  @Test func `what was signed last is kept with the key, and a key without it is taken`()
    async throws
  {
    try await TestBox.with { box in
      let first = try box.control.vault.makeCheckpointKey()
      #expect(try box.control.vault.checkpointKey()?.signed == nil)
      let signed = try #require(try await signer(box).sign()).newest
      let kept = try #require(try box.control.vault.checkpointKey())
      #expect(kept.publicKey == first.publicKey && kept.signed?.position == signed.position)
      #expect(kept.signed?.chain == signed.chain)
      // Another life signs on.
      try await live(box)
      #expect(try await signer(box).sign()?.count == 1)
      try check(box.store.reader)
    }
  }

  @Test
  func `a garbled key file is refused with its path and the remedy, and shows no byte of a key`()
    async throws
  {
    try await TestBox.with { box in
      _ = try await signer(box).sign()
      let (path, keys) = ("\(box.directory)/keys/checkpoint.key", "\(box.directory)/keys")
      let whole = try #require(try KeyFile.read(path))
      for length in 0..<whole.count {
        try KeyFile.write(Array(whole[..<length]), to: path, directory: keys)
        #expect(throws: VaultError.self, "cut at \(length)") {
          try box.control.vault.checkpointKey()
        }
      }
      for index in whole.indices {
        var changed = whole
        changed[index] ^= 1
        try KeyFile.write(changed, to: path, directory: keys)
        let error = #expect(throws: VaultError.self, "byte \(index)") {
          try box.control.vault.checkpointKey()
        }
        let said = error?.description ?? ""
        #expect(error?.code == .damaged && said.contains(path) && said.contains("put a copy"))
      }
      // A data key's file under this name is none either.
      try box.control.vault.wrap(
        [UInt8](repeating: 7, count: 31).withUnsafeBytes { .init($0) },
        name: "checkpoint", of: "a test")
      #expect(throws: VaultError.self) { try box.control.vault.checkpointKey() }
      try KeyFile.write(whole, to: path, directory: keys)
      #expect(try box.control.vault.checkpointKey()?.signed != nil)
    }
  }

  @Test func `a key file is private also where something else stood before`() async throws {
    try await withDirectory { directory in
      let path = "\(directory)/k.key"
      let temporary = path + ".tmp"
      let isMade = FileManager.default.createFile(atPath: temporary, contents: .init([1]))
      #expect(isMade && chmod(temporary, 0o644) == 0)
      try KeyFile.write([1, 2], to: path, directory: directory)
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      // A link that waits in its place is not followed.
      let elsewhere = "\(directory)/elsewhere"
      #expect(symlink(elsewhere, temporary) == 0)
      try KeyFile.write([3], to: path, directory: directory)
      #expect(!FileManager.default.fileExists(atPath: elsewhere))
      #expect(try KeyFile.read(path) == [3])
    }
  }

  @Test func `a damaged block is passed over, and the checkpoint behind it says so`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      try await live(first, 60)
      try first.store.close()
      let box = try await TestBox.open(directory)
      let reader = box.store.reader
      let path = try #require(reader.segments.first?.path)
      var bytes = try #require(FileManager.default.contents(atPath: path))
      // More than a witness block and what stands between two blocks: they hold no event.
      let damage = bytes.count / 2..<bytes.count / 2 + 256
      for at in damage { bytes[at] ^= 1 }
      let file = try #require(fopen(path, "r+"))
      fseek(file, damage.lowerBound, SEEK_SET)
      fwrite(Array(bytes[damage]), 1, damage.count, file)
      fclose(file)
      let result = try #require(try await signer(box).sign())
      try #require(result.count == 2)
      let made = try checkpoints(reader).map(\.fact)
      let (hole, after) = (made[0].position + 1, made[1].previous)
      #expect(after >= hole)
      for position in 1...made[1].position {
        let isReadable = try reader.event(at: Position(position)) != nil
        #expect(isReadable == (position < hole || position > after), "position \(position)")
      }
      #expect(try reader.chainValue(at: Position(made[1].position)).bytes == made[1].chain)
      try box.store.close()
    }
  }

  @Test func `a stream read backwards or from a position gives every event once, in order`()
    async throws
  {
    try await TestBox.with { box in
      try await live(box, 100)
      let reader = box.store.reader
      var seen: [UInt64] = []
      try reader.backwards(ofStream: gatewayStream) { stored in
        seen.append(stored.revision.rawValue)
        return true
      }
      #expect(seen == Array((1...100).reversed()))
      seen = []
      try reader.backwards(ofStream: gatewayStream) { stored in
        seen.append(stored.revision.rawValue)
        return seen.count < 20
      }
      #expect(seen == Array((81...100).reversed()))
      let places = try reader.events(ofStream: gatewayStream, from: Revision(1)).map(\.position)
      for position in 0...reader.last.rawValue {
        var found: [Position] = []
        try reader.forwards(ofStream: gatewayStream, behind: Position(position)) { stored in
          found.append(stored.position)
          return found.count < 5
        }
        #expect(found == Array(places.filter { $0.rawValue > position }.prefix(5)))
      }
    }
  }
}
