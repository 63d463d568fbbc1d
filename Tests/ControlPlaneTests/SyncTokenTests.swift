import Crypto
import Domain
import EventStore
import FoundationEssentials
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// Tokens let other nodes in, and are kept nowhere; what this node shows to others is sealed.
struct SyncTokenTests {
  @Test func `a token is shown once, and what it stands for outlives a restart`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      let session = try await first.signIn()
      let made = try await first.call(
        .post, "/api/sync/tokens", #"{"name":"node b"}"#, as: session, showsSecret: true)
      #expect(made.status == 201, "\(made.text)")
      let text = try #require(made.json["token"]?.string)
      let id = try #require(made.json["id"]?.string)
      #expect(text.hasPrefix("sbs_\(id)_") && text.utf8.count == 4 + 12 + 1 + 43)
      #expect(made.tag == "\"1\"")
      let token = try #require(SyncTokenText(Secret(text)))
      #expect(token.id == SyncTokenID(id) && token.text == Secret(text))
      let secret = try #require(Base64URL.bytes(text.dropFirst(17)))
      let expected = HKDF<SHA256>.deriveKey(
        inputKeyMaterial: SymmetricKey(data: secret),
        info: Data("signalbox sync token 1".utf8), outputByteCount: 32)
      #expect(first.control.syncKey(of: token.id) == token.key)
      #expect(token.key.bytes == expected.withUnsafeBytes { [UInt8]($0) })

      let listed = try await first.call(.get, "/api/sync/tokens", as: session)
      #expect(listed.json["tokens"]?[0]?["id"]?.string == id)
      #expect(listed.json["tokens"]?[0]?["lastUsedAt"]?.isNull == true)
      #expect(listed.json["tokens"]?[0]?["token"] == nil)
      first.control.noteUse(of: token.id)
      let used = try await first.call(.get, "/api/sync/tokens", as: session)
      #expect(used.json["tokens"]?[0]?["lastUsedAt"]?.string != nil)
      #expect(!first.everythingSaid.contains { $0.contains(text.suffix(43)) })
      try first.store.close()
      for (file, bytes) in try filesUnder(directory) {
        #expect(bytes.firstRange(of: Data(text.suffix(43).utf8)) == nil, "\(file)")
        #expect(bytes.firstRange(of: Data(secret)) == nil, "\(file)")
        #expect(bytes.firstRange(of: Data(token.key.bytes)) == nil, "\(file)")
      }

      let second = try await TestBox.open(directory)
      #expect(second.control.syncKey(of: token.id) == token.key)
      try second.store.close()
    }
  }

  @Test func `a revoked token stands for nothing, for ever`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      let session = try await first.signIn()
      let made = try await first.call(
        .post, "/api/sync/tokens", #"{"name":"node b"}"#, as: session, showsSecret: true)
      let id = try #require(made.json["id"]?.string)
      let stale = try await first.call(
        .delete, "/api/sync/tokens/\(id)", as: session, headers: [("if-match", "\"7\"")])
      #expect(stale.status == 412 && stale.tag == "\"1\"", "\(stale.text)")
      #expect(first.control.syncKey(of: SyncTokenID(id)) != nil)
      let gone = try await first.call(
        .delete, "/api/sync/tokens/\(id)", as: session, headers: [("if-match", "\"1\"")])
      #expect(gone.status == 200 && gone.json["token"]?["isActive"]?.bool == false)
      #expect(gone.json["token"]?["revokedAt"]?.string != nil)
      #expect(first.control.syncKey(of: SyncTokenID(id)) == nil)
      let again = try await first.call(.delete, "/api/sync/tokens/\(id)", as: session)
      #expect(again.status == 200 && again.tag == gone.tag)
      let other = try await first.call(.delete, "/api/sync/tokens/none", as: session)
      #expect(other.status == 404 && other.code == "unknown_sync_token", "\(other.text)")
      let active = try await first.call(.get, "/api/sync/tokens?isActive=true", as: session)
      #expect(active.json["tokens"]?.array?.isEmpty == true)
      try first.store.close()
      let second = try await TestBox.open(directory)
      #expect(second.control.syncKey(of: SyncTokenID(id)) == nil)
      try second.store.close()
    }
  }

  @Test func `what is no token is none`() {
    let secret = Base64URL.text([UInt8](repeating: 7, count: 32))
    #expect(SyncTokenText(Secret("sbs_a_\(secret)")) != nil)
    // In the last one, bits that belong to nothing are not zero.
    for text in [
      "", "sbs_", "sbs_a_", "sbs__\(secret)", "sbx_a_\(secret)", "sbs_a\(secret)",
      "sbs_a_\(secret)=", "sbs_a_\(secret)A", "sbs_a_\(secret.dropLast())",
      "sbs_a_\(secret.dropLast())d",
    ] {
      #expect(SyncTokenText(Secret(text)) == nil, "\(text)")
    }
  }

  @Test func `what is exchanged is set by itself, and the token only shown masked`() async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      let bare = try await box.call(.get, "/api/settings", as: session)
      #expect(bare.json["cloudUrl"]?.isNull == true && bare.json["cloudToken"]?.isNull == true)
      #expect(bare.json["cloudProtocol"] == "signalbox" && bare.json["syncSecrets"]?.bool == false)
      #expect(bare.json["syncIntervalSeconds"]?.int == 300)
      let secret = "sbs_abcdefghijkl_0123456789012345678901234567890123456789012"
      let set = try await box.call(
        .patch, "/api/settings",
        #"{"cloudUrl":"https://b.example/","cloudToken":"\#(secret)","machineId":"m","syncIntervalSeconds":60}"#,
        as: session)
      #expect(set.status == 200, "\(set.text)")
      #expect(set.json["cloudUrl"] == "https://b.example")
      #expect(set.json["cloudToken"] == "sbs_abcd…9012")
      #expect(box.control.cloudToken == Secret(secret))
      let kept = try await box.call(
        .patch, "/api/settings", #"{"cloudProtocol":"9router"}"#, as: session)
      #expect(kept.json["cloudToken"] == "sbs_abcd…9012", "an absent field takes nothing away")
      #expect(kept.json["cloudProtocol"] == "9router")
      let before = box.store.lastWritten
      _ = try await box.call(
        .patch, "/api/settings", #"{"cloudToken":"\#(secret)"}"#, as: session)
      #expect(box.store.lastWritten == before, "the same token is no event")
      let stale = try await box.call(
        .patch, "/api/settings", #"{"cloudToken":null}"#, as: session,
        headers: [("if-match", "\"1\"")])
      #expect(stale.status == 412 && box.control.cloudToken != nil)
      let gone = try await box.call(
        .patch, "/api/settings", #"{"cloudToken":null,"cloudUrl":null,"machineId":null}"#,
        as: session)
      #expect(gone.json["cloudToken"]?.isNull == true && gone.json["cloudUrl"]?.isNull == true)
      #expect(box.control.cloudToken == nil)
      #expect(!box.everythingSaid.contains { $0.contains(secret) })
    }
  }

  @Test func `what cannot be is refused by its field, and nothing of it holds`() async throws {
    let refused = [
      (#"{"cloudUrl":"http://10.0.0.7"}"#, "cloudUrl"),
      (#"{"cloudUrl":"https://a:b@c.example"}"#, "cloudUrl"),
      (#"{"cloudUrl":"https://169.254.169.254/"}"#, "cloudUrl"),
      (#"{"cloudProtocol":"gossip"}"#, "cloudProtocol"),
      (#"{"cloudProtocol":null}"#, "cloudProtocol"), (#"{"machineId":"a/b"}"#, "machineId"),
      (#"{"syncSecrets":"yes"}"#, "syncSecrets"),
      (#"{"syncIntervalSeconds":9}"#, "syncIntervalSeconds"),
      (#"{"syncIntervalSeconds":86401}"#, "syncIntervalSeconds"),
      (#"{"cloudToken":"with space"}"#, "cloudToken"), (#"{"cloudToken":""}"#, "cloudToken"),
    ]
    try await TestBox.with { box in
      let session = try await box.signIn()
      let before = box.control.state
      for (body, field) in refused {
        let reply = try await box.call(.patch, "/api/settings", body, as: session)
        #expect(reply.status == 400 && reply.field == field, "\(reply.text)")
      }
      #expect(box.control.state.settings == before.settings)
    }
  }

  @Test func `the token outlives a restart sealed`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      let session = try await first.signIn()
      let secret = "a-token-of-the-cloud-that-nobody-reads"
      _ = try await first.call(
        .patch, "/api/settings", #"{"cloudToken":"\#(secret)"}"#, as: session)
      try first.store.close()
      for (file, bytes) in try filesUnder(directory) {
        #expect(bytes.firstRange(of: Data(secret.utf8)) == nil, "\(file)")
      }
      let second = try await TestBox.open(directory)
      #expect(second.control.cloudToken == Secret(secret))
      try second.store.close()
    }
  }
}
