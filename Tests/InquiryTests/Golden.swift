import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// Compares with a file under Fixtures/inquiry; `UPDATE_GOLDEN=1` rewrites the file instead.
func expectGolden(_ text: String, _ name: String, source: String = #filePath) throws {
  let root = URL(fileURLWithPath: source).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let file = root.appendingPathComponent("Fixtures/inquiry/\(name)")
  if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
    return
  }
  let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  let expected = golden.split(separator: "\n", omittingEmptySubsequences: false)
  for (index, pair) in zip(lines, expected).enumerated() where pair.0 != pair.1 {
    Issue.record("\(name):\(index + 1) is\n\(pair.0)\nand was\n\(pair.1)")
    return
  }
  #expect(lines.count == expected.count, "\(name) has another length")
}

extension InquiryReport {
  /// Both renderings with what differs from store to store put away.
  func golden(_ log: TestLog) throws -> (text: String, json: String) {
    let store = try log.reader().storeID
    let id = uuidText(store)
    func masked(_ text: String) -> String {
      text.replacingOccurrences(of: id, with: "00000000-0000-0000-0000-000000000000")
        .replacing(#/[0-9]+ bytes read/#, with: "N bytes read")
        .replacing(#/"bytes": [0-9]+/#, with: "\"bytes\": 0")
    }
    return (masked(text), masked(json.rendered))
  }
}
