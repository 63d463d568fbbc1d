import ArgumentParser
import ConfigFile
import ControlPlane
import Domain
import EventStore
import Foundation

import struct Inquiry.InquiryFault
import enum Inquiry.Shown

/// What the program says to people: answers on standard output, troubles on standard error.
enum Console {
  /// Standard output takes nothing: it is closed, its reader went away, or its disk is full.
  struct Unwritable: Error, CustomStringConvertible {
    var description: String { "standard output cannot be written" }
  }

  /// One line on standard output, at once, also into a pipe.
  static func say(_ line: String) throws(Unwritable) {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    } catch {
      throw Unwritable()
    }
  }

  /// One line on standard error; if that takes nothing, there is nobody left to tell.
  static func warn(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
  }

  /// What is damaged, one line each, and what can be done.
  private static func explain(damage error: StoreError) {
    let shown = 20
    warn("signalbox: the log is damaged, so nothing writes to it; no event was changed")
    for gap in error.damage.prefix(shown) { warn("signalbox:   \(gap.sentence)") }
    if error.damage.count > shown {
      warn("signalbox:   and \(error.damage.count - shown) more, which `replay verify` names")
    }
    warn("signalbox: to see what can be read: replay verify, replay window, with --log DIR")
    warn("signalbox: to lose nothing: restore the named files from a backup, and start again")
    if let command = error.acceptCommand {
      warn("signalbox: to go on without what cannot be read (copy the directory first):")
      warn("signalbox:   \(command)")
    }
  }

  /// What the administration refused, in its own words.
  private static func explain(_ refused: Refused) {
    let line = refused.line.map { ", line \($0)" } ?? ""
    let field = refused.field.map { ", field \($0)" } ?? ""
    warn(Shown.text("signalbox: refused (\(refused.code)\(line)\(field)): \(refused.message)"))
    if let remedy = refused.remedy { warn(Shown.text("signalbox: \(remedy)")) }
  }

  /// Says what went wrong and gives the exit code that belongs to it.
  static func explain(_ error: any Error) -> any Error {
    switch error {
    case let error as StoreError where !error.damage.isEmpty:
      explain(damage: error)
      return ExitStatus.damaged
    case let error as StoreError:
      warn("signalbox: \(error)")
      switch error.code {
      case .locked: return ExitStatus.locked
      case .damaged: return ExitStatus.damaged
      case .poisoned:
        warn("signalbox: \(StateNotes.afterFailure)")
        return ExitStatus.failed
      case .conflict, .idReused, .invalidDraft, .notAStore, .permissions, .io, .full, .overloaded,
        .closed:
        return ExitStatus.failed
      }
    case ControlError.log(let error): return explain(error)
    case ControlError.unreadable, ControlError.damaged:
      warn("signalbox: \(error)")
      return ExitStatus.damaged
    case let fault as InquiryFault where fault.code == .damaged:
      warn("signalbox: \(fault)")
      return ExitStatus.damaged
    case let refusal as Refusal:
      warn("signalbox: refused (\(refusal.code.rawValue)): \(refusal.message)")
      if !refusal.remedy.isEmpty { warn("signalbox: \(refusal.remedy)") }
      return ExitStatus.failed
    case let refused as Refused:
      explain(refused)
      return ExitStatus.failed
    case let locked as Administration.Locked:
      warn("signalbox: \(locked.error)")
      warn(
        "signalbox: and nothing listens at \(ControlSocketAddress.name) in it; if a gateway is starting or"
          + " stopping, try again; else end the process named")
      return ExitStatus.locked
    case let flaw as WeakPassword:
      warn("signalbox: the administrator's password \(flaw.sentence); it was not set")
      warn("signalbox: \(WeakPassword.remedy)")
      return ExitStatus.failed
    case is ExitCode, is ValidationError, is CleanExit: return error
    case is ConfigFault, is VaultError, is ControlError, is FileText.Unreadable,
      is TLSFiles.Unusable:
      warn("signalbox: \(error)")
      return ExitStatus.failed
    default:
      // What others threw: NIO's I/O errors say which call and which address, and no more.
      warn("signalbox: \(error)")
      return ExitStatus.failed
    }
  }
}
