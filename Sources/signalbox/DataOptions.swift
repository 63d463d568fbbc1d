import ArgumentParser
import ControlPlane
import EventStore
import Glibc

/// Where the log lies, and what opens its secrets; shared by all verbs.
struct DataOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The data directory; made (mode 0700) if it is missing. Else SIGNALBOX_DATA.",
      valueName: "dir"))
  var data: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A file with the master key: 32 bytes as base64 or hexadecimal, mode 0600. "
        + "SIGNALBOX_MASTER_KEY comes first; without both the key lies in DIR/keys.",
      valueName: "file"))
  var masterKeyFile: String?

  /// Without slashes at the end.
  func directory() throws -> String {
    guard var path = data ?? Environment.value("SIGNALBOX_DATA"), !path.isEmpty else {
      throw ValidationError("Give the data directory: --data DIR, or SIGNALBOX_DATA.")
    }
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// The directory, in which there must be a log: one that is not there is a typing error, not a log to
  /// be made.
  func existingLog() throws -> String {
    let directory = try directory()
    guard access("\(directory)/seg", F_OK) == 0 || errno != ENOENT else {
      throw StoreError(
        .notAStore, "store.missing: there is no log (no directory seg/) here",
        path: directory)
    }
    return directory
  }

  /// The master key of a directory that is only looked at; nil if there is none.
  func masterKey(in directory: String) throws -> MasterKey? {
    try MasterKey.load(
      text: Environment.value("SIGNALBOX_MASTER_KEY"), file: masterKeyFile, directory: directory,
      mayCreate: false)
  }

  /// Refuses a wrong or missing master key before the log is opened for writing.
  func checkMasterKey(in directory: String) throws {
    // Without a log there is nothing that a wrong key could harm, and opening says better what is wrong.
    guard access("\(directory)/seg", F_OK) == 0 else { return }
    try MasterKey.verify(
      text: Environment.value("SIGNALBOX_MASTER_KEY"), file: masterKeyFile, directory: directory)
  }

  /// The master key of an open store; made in the directory with the log's first life.
  func masterKey(in directory: String, for store: EventStore) throws -> MasterKey {
    try MasterKey.load(
      text: Environment.value("SIGNALBOX_MASTER_KEY"), file: masterKeyFile, directory: directory,
      for: store)
  }
}
