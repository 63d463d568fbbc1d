import ArgumentParser
import ControlPlane
import Domain
import EventStore
import Logging

/// `signalbox checkpoint`: signs what the log holds, now.
struct CheckpointCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Sign what the log holds, or show the key that signs.",
    discussion: """
      A running gateway signs by itself: at its start, every ten minutes, every 65,536 events and when
      it stops. This command is for a directory that no gateway has open. A log that is not the one
      that was signed before gets no signature: its end was cut off, an older copy was put in its place,
      or it was changed. docs/integrity.md says what then.

      --public-key signs nothing, and the gateway may run. Whoever verifies the log needs that key from
      here, not from the log: a log that somebody rewrote names whatever key it likes.

      Examples:
        signalbox checkpoint --data ./data
        signalbox checkpoint --data ./data --public-key > signalbox.pub
        replay checkpoint --log ./data > checkpoint.note
      """)

  @OptionGroup var data: DataOptions

  @Flag(name: .long, help: "Print the public key, 64 hexadecimal digits, and sign nothing.")
  var publicKey = false

  func run() async throws {
    do {
      if publicKey {
        try show(try data.directory())
      } else {
        try await sign(try data.existingLog())
      }
    } catch let error as StoreError where error.code == .locked {
      Console.warn("signalbox: \(error)")
      Console.warn("signalbox: a gateway signs by itself every ten minutes and when it stops")
      throw ExitStatus.locked
    } catch {
      throw Console.explain(error)
    }
  }

  private func show(_ directory: String) throws {
    guard let master = try data.masterKey(in: directory) else {
      throw VaultError(
        .wrongMasterKey,
        "the master key is needed to open the checkpoint key; set SIGNALBOX_MASTER_KEY or pass"
          + " --master-key-file")
    }
    let vault = try Vault(directory: directory, masterKey: master, mayWrite: false)
    guard let key = try vault.checkpointPublicKey() else {
      Console.warn(
        "signalbox: there is no checkpoint key yet; `signalbox checkpoint` or a gateway makes one")
      throw ExitStatus.failed
    }
    try Console.say(Self.hexadecimal(key))
  }

  private func sign(_ directory: String) async throws {
    try data.checkMasterKey(in: directory)
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
    do {
      let key = try data.masterKey(in: directory, for: store)
      if let warning = key.warning { Console.warn("signalbox: \(warning)") }
      let control = try ControlPlane.open(
        store: store, vault: try Vault(directory: directory, masterKey: key)
      ) { _, _ in }
      try await control.noteRecovery()
      let logger = Logger(label: "signalbox") { StreamLogHandler.standardError(label: $0) }
      if let (newest, count) = try await CheckpointSigner(control: control, logger: logger).sign() {
        try Console.say(
          "\(count) checkpoint\(count == 1 ? "" : "s") signed: everything through "
            + "\(newest.epoch):\(newest.position)")
        try Console.say("public key \(Self.hexadecimal(newest.publicKey))")
      } else {
        try Console.say("nothing new since the last checkpoint")
      }
    } catch {
      // The error that is on its way says more than one of closing would.
      try? store.close()
      throw error
    }
    try store.close()
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return byte < 16 ? "0" + digits : digits
    }.joined()
  }
}
