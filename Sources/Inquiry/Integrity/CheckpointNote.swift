public import Domain

/// A checkpoint as a small text, for keeping where the log is not.
///
/// A signed note: what was signed, an empty line, and a line with the key's id and the signature.
public struct CheckpointNote: Sendable, Hashable {
  /// Which log it speaks of.
  public var store: UInt128
  /// What it says; a note holds no public key, so that is empty.
  public var fact: GatewayEvent.CheckpointSigned
  /// The first bytes of a digest of the key that signed; 4 bytes.
  public var keyID: [UInt8]

  /// Longer texts are no notes.
  public static let bytesMax = 16_384

  /// The note of a checkpoint, ended by a line feed.
  public static func text(_ fact: GatewayEvent.CheckpointSigned, store: UInt128) -> String {
    let name = GatewayEvent.CheckpointSigned.origin(store: store)
    let id = VerifyingKey(bytes: fact.publicKey)?.noteID(name: name) ?? []
    return fact.statement(store: store) + "\n— \(name) \(base64Text(id + fact.signature))\n"
  }

  /// Reads a note.
  ///
  /// Lines may end as Windows ends them; signatures of others (witnesses) are passed over.
  ///
  /// - Parameter name: The file's name, for the fault.
  /// - Throws: `.usage` for what is no checkpoint's note.
  public init(_ text: String, name: String) throws(InquiryFault) {
    guard let note = CheckpointNote(parsing: text) else {
      throw InquiryFault(
        .usage,
        "\(Shown.text(name)) is not a checkpoint as `replay checkpoint` prints it, or was changed so "
          + "that it is none any more.")
    }
    self = note
  }

  private init?(parsing text: String) {
    guard text.utf8.count <= Self.bytesMax else { return nil }
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
      .map(String.init)
    let prefix = "signalbox/checkpoint/v1/"
    guard lines.count >= 8, lines[0].hasPrefix(prefix),
      let store = parseUUID(String(lines[0].dropFirst(prefix.count))),
      let position = UInt64(lines[1]), let chain = parseBase64(lines[2]), chain.count == 32,
      let epoch = Self.value("epoch ", lines[3]).flatMap({ UInt64($0) }),
      let previous = Self.value("previous ", lines[4]).flatMap({ UInt64($0) }),
      let root = Self.value("root ", lines[5]).flatMap({ parseBase64($0) }), root.count == 32,
      previous < position, lines[6].isEmpty
    else { return nil }
    let signatures = lines[7...].compactMap { line in
      Self.value("— \(lines[0]) ", line).flatMap { parseBase64($0) }
    }
    guard let own = signatures.first, own.count == 68 else { return nil }
    self.store = store
    keyID = Array(own.prefix(4))
    fact = GatewayEvent.CheckpointSigned(
      position: position, epoch: epoch, chain: chain, previous: previous, root: root,
      publicKey: [], signature: Array(own.dropFirst(4)))
    // A number has more than one spelling; what is signed has one.
    let signed = lines[..<6].joined(separator: "\n") + "\n"
    guard fact.statement(store: store).utf8.elementsEqual(signed.utf8) else { return nil }
  }

  private static func value(_ prefix: String, _ line: String) -> String? {
    line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
  }

  /// Whether the note names this key and the key signed it.
  func isSigned(by key: VerifyingKey) -> Bool {
    keyID == key.noteID(name: GatewayEvent.CheckpointSigned.origin(store: store))
      && key.isValid(fact.signature, over: fact.statement(store: store))
  }
}
