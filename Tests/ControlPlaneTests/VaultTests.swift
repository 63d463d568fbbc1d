import Domain
import EventStore
import FoundationEssentials
import Testing

@testable import ControlPlane

/// The vault seals, opens, and refuses.
struct VaultTests {
  private static let hex = String(repeating: "0f", count: 32)
  private static let base64 = "Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8="

  private func vault(_ directory: String, _ text: String = hex) throws -> Vault {
    let key = try #require(
      try MasterKey.load(text: text, file: nil, directory: directory, mayCreate: false))
    return try Vault(directory: directory, masterKey: key)
  }

  @Test func `what was sealed opens again, also by another process's vault`() async throws {
    try await withDirectory { directory in
      let secret = Secret("sk-upstream-1")
      let sealed = try vault(directory).seal(secret, subject: "account/a1", event: 7)
      #expect(try vault(directory).open(sealed, subject: "account/a1", event: 7) == secret)
      #expect(!Data(sealed).contains(Data(secret.bytes)))
    }
  }

  @Test func `the same secret sealed twice differs, so that equality does not leak`() async throws {
    try await withDirectory { directory in
      let vault = try vault(directory)
      let a = try vault.seal(Secret("x"), subject: "account/a1", event: 7)
      let b = try vault.seal(Secret("x"), subject: "account/a1", event: 7)
      #expect(a != b)
    }
  }

  @Test func `a sealed part does not open for another event or subject, nor with a bit changed`()
    async throws
  {
    try await withDirectory { directory in
      let vault = try vault(directory)
      let sealed = try vault.seal(Secret("x"), subject: "account/a1", event: 7)
      _ = try vault.seal(Secret("y"), subject: "account/a2", event: 7)
      #expect(throws: VaultError.self) {
        try vault.open(sealed, subject: "account/a1", event: 8)
      }
      #expect(throws: VaultError.self) {
        try vault.open(sealed, subject: "account/a2", event: 7)
      }
      for index in sealed.indices {
        var changed = sealed
        changed[index] ^= 1
        #expect(throws: VaultError.self) {
          try vault.open(changed, subject: "account/a1", event: 7)
        }
      }
    }
  }

  @Test func `without its data key a subject's secret is erased, and others are not`() async throws
  {
    try await withDirectory { directory in
      let first = try vault(directory)
      let a = try first.seal(Secret("x"), subject: "account/a1", event: 1)
      let names = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/keys")
      let key = try #require(names.first { $0.hasSuffix(".key") })
      let b = try first.seal(Secret("y"), subject: "account/a2", event: 2)
      try FileManager.default.removeItem(atPath: "\(directory)/keys/\(key)")
      let second = try vault(directory)
      let error = #expect(throws: VaultError.self) {
        try second.open(a, subject: "account/a1", event: 1)
      }
      #expect(error?.code == .erased)
      #expect(try second.open(b, subject: "account/a2", event: 2) == Secret("y"))
    }
  }

  @Test(arguments: [true, false])
  func `another master key is refused at the start, also where the check value is lost`(
    keepsCheck: Bool
  ) async throws {
    try await withDirectory { directory in
      _ = try vault(directory).seal(Secret("x"), subject: "account/a1", event: 1)
      if !keepsCheck {
        try FileManager.default.removeItem(atPath: "\(directory)/keys/master.check")
      }
      let error = #expect(throws: VaultError.self) {
        try vault(directory, String(repeating: "1e", count: 32))
      }
      #expect(error?.code == .wrongMasterKey)
      #expect(error?.message.contains("SIGNALBOX_MASTER_KEY") == true)
      // The right one still opens it: the refusal changed nothing.
      _ = try vault(directory)
    }
  }

  @Test func `hexadecimal, base64 and unpadded base64 of one key are the same key`() async throws {
    try await withDirectory { directory in
      let prints = try [Self.hex, Self.base64, String(Self.base64.dropLast()), Self.hex + "\n"]
        .map { try vault(directory, $0).fingerprint(Secret("k")) }
      #expect(Set(prints).count == 1)
    }
  }

  @Test(arguments: [
    "", "short", String(repeating: "0f", count: 31), String(repeating: "zz", count: 32),
    String(repeating: "0f", count: 33), "Dw8PDw8PDw8PDw8PDw8PDw==",
  ])
  func `a master key that is not 32 bytes is refused without being repeated`(text: String)
    async throws
  {
    try await withDirectory { directory in
      let error = #expect(throws: VaultError.self) { try vault(directory, text) }
      #expect(error?.code == .invalidMasterKey)
      if !text.isEmpty { #expect(error?.description.contains(text) == false) }
    }
  }

  @Test func `without a key given one is made with mode 0600, kept, and warned of`() async throws {
    try await withDirectory { directory in
      let made = try #require(
        try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true))
      #expect(made.warning?.contains("master.key") == true)
      for name in ["keys", "keys/master.key"] {
        let mode = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
        #expect((mode[.posixPermissions] as? Int).map { $0 & 0o077 } == 0)
      }
      let again = try #require(
        try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true))
      let a = try Vault(directory: directory, masterKey: made).fingerprint(Secret("k"))
      let b = try Vault(directory: directory, masterKey: again).fingerprint(Secret("k"))
      #expect(a == b)
    }
  }

  @Test func `a directory made with a key from elsewhere gets no new key beside the data`()
    async throws
  {
    try await withDirectory { directory in
      _ = try vault(directory)
      let error = #expect(throws: VaultError.self) {
        try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true)
      }
      #expect(error?.code == .wrongMasterKey)
      #expect(
        try !FileManager.default.contentsOfDirectory(atPath: "\(directory)/keys")
          .contains("master.key"))
    }
  }

  @Test func `a log with events gets no new master key in place of a lost one`() async throws {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory)
      try box.store.close()
      try FileManager.default.removeItem(atPath: "\(directory)/keys")
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      let error = #expect(throws: VaultError.self) {
        try MasterKey.load(text: nil, file: nil, directory: directory, for: store)
      }
      #expect(error?.code == .wrongMasterKey)
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/keys"))
      try store.close()
    }
    try await withDirectory { directory in
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      _ = try MasterKey.load(text: nil, file: nil, directory: directory, for: store)
      #expect(FileManager.default.fileExists(atPath: "\(directory)/keys/master.key"))
      try store.close()
    }
  }

  @Test func `where making the log was cut short, there is no key to miss`() async throws {
    try await withDirectory { directory in
      let files = FileManager.default
      func verify() throws { try MasterKey.verify(text: nil, file: nil, directory: directory) }
      try files.createDirectory(
        atPath: "\(directory)/seg", withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700])
      try verify()
      try Data("signalbox".utf8).write(to: URL(filePath: "\(directory)/FORMAT.tmp"))
      try files.setAttributes(
        [.posixPermissions: 0o600], ofItemAtPath: "\(directory)/FORMAT.tmp")
      try verify()
      #expect(throws: StoreError.self) { try LogReader.open(directory: directory) }
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      try store.close()
      #expect(try LogReader.isLog(directory))
    }
  }

  @Test func `a key file that others may read is refused with the remedy`() async throws {
    try await withDirectory { directory in
      _ = try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true)
      let path = "\(directory)/keys/master.key"
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
      let error = #expect(throws: VaultError.self) {
        try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true)
      }
      #expect(error?.code == .permissions)
      #expect(error?.message.contains("chmod 600") == true)
    }
  }

  @Test func `a vault opened for reading makes nothing`() async throws {
    try await withDirectory { directory in
      let vault = try Vault(directory: directory, masterKey: .ephemeral(), mayWrite: false)
      #expect(throws: VaultError.self) {
        try vault.seal(Secret("x"), subject: "account/a1", event: 1)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
    }
  }

  @Test func `a secret does not show itself in text`() {
    let secret = Secret("sk-upstream-1")
    var dumped = ""
    dump(secret, to: &dumped)
    dump(Change(.settings(.setAdminPassword), secret: secret), to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])"] {
      #expect(!text.contains("upstream"))
      #expect(!text.contains("115, 107"))
    }
  }

  @Test func `a password matches its own hash only, and survives being kept`() throws {
    let hash = try PasswordHash.make(Secret("right"), logCost: 4)
    let kept = try PasswordHash(encoded: hash.encoded)
    #expect(try kept.matches(Secret("right")))
    #expect(try !kept.matches(Secret("wrong")))
    #expect(try !kept.matches(Secret("")))
    #expect(try !kept.matches(Secret(String(repeating: "a", count: 2000))))
    #expect(throws: VaultError.self) { try PasswordHash(encoded: Secret("x")) }
    #expect(try PasswordHash.make(Secret("right"), logCost: 4) != hash)
  }
}
