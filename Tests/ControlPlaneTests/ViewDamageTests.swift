import Domain
import EventStore
import Foundation
import HTTPTypes
import Inquiry
import Support
import Surface
import Testing
import Views

@testable import ControlPlane

/// Whatever page of the views' file breaks, and whoever meets it: they are made anew, and the log says why.
struct ViewDamageTests {
  private static let page = 4096

  private func reasons(_ box: TestBox) throws -> [GatewayEvent.ViewRebuilt.Reason] {
    try box.store.reader.events(ofStream: gatewayStream, from: Revision(1)).compactMap {
      guard case .gateway(.viewRebuilt(let it)) = try recorded($0).event else { return nil }
      return it.reason
    }
  }

  /// Asks everything until all of it is answered, and gives the digest of the tables then.
  private func asked(_ box: TestBox, _ token: String, _ what: String) async throws -> [UInt8] {
    for _ in 1...4 {
      var isWell = true
      for path in [
        "/api/usage/history", "/v1/metrics/providers?window=24h",
        "/api/usage/logs?organisation=acme&limit=5",
        "/api/usage/history?since=2030-03-01T00:00:00Z",
      ] {
        let reply = try await box.call(.get, path, as: token)
        #expect([200, 503].contains(reply.status), "\(what), \(path): \(reply.text)")
        isWell = isWell && reply.status == 200
      }
      do {
        let reading = try box.views.upToDate()
        let digest = try reading.views.digest()
        if isWell, reading.behind == 0 { return digest }
      } catch is ViewFault {
      } catch ControlError.views {
      }
    }
    throw Unexpected("\(what): the views did not become well")
  }

  /// What the log gives.
  private func fresh(_ box: TestBox) throws -> [UInt8] {
    let path = box.directory + "/fresh.sqlite"
    let views = try ViewStore(path: path, storeID: box.store.storeID)
    let fold = ViewFold(reader: box.store.reader)
    while try fold.step(into: views) {}
    let digest = try views.digest()
    try views.close()
    try ViewStore.remove(path: path)
    return digest
  }

  @Test func `a broken page heals, whichever it is, at rest`() async throws {
    try await withDirectory { directory in
      let path = directory + "/views/usage.sqlite"
      var story = RandomStory(random: SeededRandom(seed: 8))
      let first = try await TestBox.open(directory)
      try story.append(400, to: first)
      _ = try await asked(first, try await first.signIn(), "new")
      first.views.stop()
      try first.store.close()
      let intact = try Data(contentsOf: URL(fileURLWithPath: path))
      var healed = 0
      for page in 0..<intact.count / Self.page {
        var bytes = intact
        // No kind of page begins so.
        for at in 0..<12 { bytes[page * Self.page + at] = 0xEE }
        for file in [path, path + "-wal", path + "-shm"] {
          try? FileManager.default.removeItem(atPath: file)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        let box = try await TestBox.open(directory)
        let token = try await box.signIn()
        _ = try await asked(box, token, "page \(page)")
        // Writing meets what reading does not.
        try story.append(6, to: box)
        #expect(try await asked(box, token, "page \(page)") == fresh(box))
        box.views.tell()
        let noted = try reasons(box)
        // The list of free pages may be broken without anybody's needing it.
        if box.views.current.rebuilds > 0 {
          healed += 1
          #expect(noted.count == healed && noted.allSatisfy { $0 == .damaged })
        }
        box.views.stop()
        try box.store.close()
      }
      #expect(healed > intact.count / Self.page / 2, "\(healed) of \(intact.count / Self.page)")
    }
  }

  @Test(arguments: 1...2 as ClosedRange<UInt64>)
  func `pages that break while the gateway runs heal as soon as one of them is met`(seed: UInt64)
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      var story = RandomStory(random: SeededRandom(seed: seed))
      try story.append(400, to: box)
      _ = try await asked(box, token, "new")
      for round in 1...3 {
        let before = box.views.current.rebuilds
        // Everything but the first page, of the file and of what waits beside it to get there.
        for (suffix, begin) in [("", Self.page), ("-wal", 32 + 24 + Self.page)] {
          let path = box.directory + "/views/usage.sqlite" + suffix
          let file = try #require(FileHandle(forUpdatingAtPath: path))
          let count = Int(try file.seekToEnd())
          for at in stride(
            from: begin, to: count - 12, by: suffix == "" ? Self.page : Self.page + 24)
          {
            try file.seek(toOffset: UInt64(at))
            try file.write(contentsOf: Data(repeating: 0xEE, count: 40))
          }
          try file.close()
        }
        // Pages that are held are read again when there is something new.
        try story.append(20, to: box)
        let digest = try await asked(box, token, "round \(round)")
        #expect(box.views.current.rebuilds == before + 1, "seed \(seed)")
        box.views.tell()
        #expect(try reasons(box) == Array(repeating: .damaged, count: round))
        // The note came after the digest, and is no request.
        #expect(try fresh(box) == digest)
      }
    }
  }

  @Test func `who comes after the stop opens nothing`() async throws {
    try await TestBox.with { box in
      _ = try box.views.upToDate()
      box.views.stop()
      #expect(throws: ControlError.self) { try box.views.upToDate() }
      #expect(throws: ControlError.self) { try box.views.touch() }
      // Nothing is left open beside the file.
      #expect(!FileManager.default.fileExists(atPath: box.directory + "/views/usage.sqlite-wal"))
    }
  }
}
