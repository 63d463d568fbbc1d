import ArgumentParser
import Surface

import enum Inquiry.Shown

// What operators do about the sync with another node; who it is stands in the settings.

/// A verb of `POST /api/sync/cloud`.
protocol SyncActionVerb: AdminVerb {
  static var action: String { get }
}

extension SyncActionVerb {
  func request() -> ControlRequest {
    ControlRequest(
      .post, "/api/sync/cloud", body: ["action": JSONValue(Self.action)])
  }

  func text(_ answer: JSONValue) -> String {
    var lines = [Shown.text(answer["message"]?.string ?? "")]
    if let peer = answer["peer"]?.string { lines.append("peer       \(Shown.text(peer))") }
    if answer["changes"] != nil {
      for (name, title) in [("updated", "told"), ("fromWorker", "taken over")] {
        let names = answer["changes"]?[name]?.array?.compactMap(\.string) ?? []
        lines.append("\(Self.padded(title))\(names.isEmpty ? "nothing" : Self.listed(names))")
      }
      for name in ["conflicts", "withheld", "waiting"] {
        guard let count = answer[name]?.uint, count > 0 else { continue }
        lines.append("\(Self.padded(name))\(count)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func padded(_ title: String) -> String {
    title + String(repeating: " ", count: max(1, 11 - title.count))
  }

  private static func listed(_ names: [String]) -> String {
    let shown = names.prefix(20).map { Shown.text($0) }.joined(separator: ", ")
    return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
  }
}

/// `sync enable`.
struct EnableSyncVerb: SyncActionVerb {
  static let action = "enable"
  static let configuration = CommandConfiguration(
    commandName: "enable",
    abstract: "Make a first exchange; if it comes to its end, others follow by themselves.")
  @OptionGroup var options: VerbOptions
}

/// `sync now`.
struct SyncNowVerb: SyncActionVerb {
  static let action = "sync"
  static let configuration = CommandConfiguration(
    commandName: "now", abstract: "Make one exchange now.")
  @OptionGroup var options: VerbOptions
}

/// `sync disable`.
struct DisableSyncVerb: SyncActionVerb {
  static let action = "disable"
  static let configuration = CommandConfiguration(
    commandName: "disable",
    abstract: "Make no more exchanges, and tell the other side; a node keeps what it has.")
  @OptionGroup var options: VerbOptions
}

/// `sync check`.
struct CheckSyncVerb: SyncActionVerb {
  static let action = "check"
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Ask whether the other side is there and accepts the token; nothing is exchanged.")
  @OptionGroup var options: VerbOptions
}

/// `sync forget`.
struct ForgetSyncVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "forget",
    abstract: "Remember nothing of one peer, and accept its tokens no more.")

  @Argument(help: "The peer's name, as `sync status` says.")
  var peer: String
  @OptionGroup var options: VerbOptions

  func validate() throws {
    guard !peer.isEmpty else { throw ValidationError("The peer's name must not be empty.") }
  }

  func request() -> ControlRequest {
    ControlRequest(.delete, "/api/sync/peers/\(percentEncoded(peer))")
  }

  func text(_ answer: JSONValue) -> String {
    let tokens = answer["revokedTokens"]?.array?.compactMap(\.string) ?? []
    let revoked = tokens.isEmpty ? "none" : tokens.map { Shown.text($0) }.joined(separator: ", ")
    return "Nothing is remembered of \(Shown.text(peer)) any more.\nrevoked    \(revoked)\n"
  }
}

/// `sync status`.
struct SyncStatusVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show with whom this node syncs, and what is not the same.")
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, "/api/sync/cloud") }

  func text(_ answer: JSONValue) -> String {
    func word(_ value: JSONValue?) -> String { Shown.text(value?.string ?? "–") }
    var out = "node       \(word(answer["node"]))\n"
    let isOn = answer["enabled"]?.bool == true
    out += "sync       " + (isOn ? "on" : "off")
    if let url = answer["cloudUrl"]?.string { out += ", \(Shown.text(url))" }
    out += "\n"
    switch answer["credentials"]?.string {
    case "sealed": out += "secrets    credentials go sealed, whatever sync-secrets says\n"
    case "bare": out += "secrets    tokens go there as they are, and are taken from there\n"
    case "none": out += "secrets    no tokens go there: sync-secrets is off\n"
    case _: break
    }
    for peer in answer["peers"]?.array ?? [] {
      out += "\npeer       \(word(peer["peer"]))"
      out += peer["url"]?.string.map { ", \(Shown.text($0))" } ?? ", comes here"
      out += peer["enabled"]?.bool == true ? "\n" : ", off\n"
      out += "last       \(word(peer["lastSync"]))\n"
      if let failure = peer["failure"], !failure.isNull {
        out += "failure    \(word(failure["code"])) since \(word(failure["since"]))\n"
      }
      if peer["owesRemoval"]?.bool == true {
        let isAsked = peer["url"] == answer["cloudUrl"]
        out += "owes       it did not confirm that sync is off: "
        out +=
          isAsked
          ? "it is asked again\n"
          : "cloudUrl leads elsewhere, so it is not asked; set it again, or forget the peer\n"
      }
      out += Self.rows("drift", peer["drift"])
    }
    let own =
      Self.rows("withheld", answer["withheld"]) + Self.rows("awaited", answer["awaited"])
    if !own.isEmpty { out += "\n\(own)" }
    return out
  }

  private static func rows(_ label: String, _ rows: JSONValue?) -> String {
    func word(_ value: JSONValue?) -> String { Shown.text(value?.string ?? "–") }
    return (rows?.array ?? []).map { row in
      let field = row["field"]?.string ?? ""
      return label + String(repeating: " ", count: 11 - label.count)
        + "\(word(row["stream"])) \(field.isEmpty ? "presence" : Shown.text(field)): "
        + "ours \(shown(row["ours"])), theirs \(shown(row["theirs"]))"
        + " (\(word(row["rule"])): \(word(row["why"])))\n"
    }.joined()
  }

  private static func shown(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "–" }
    return Shown.text(value.string ?? String(decoding: value.bytes, as: UTF8.self))
  }
}
