import ArgumentParser
import ConfigFile
import ControlPlane
import Domain
import EventStore
import Foundation

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

  /// Says what went wrong and gives the exit code that belongs to it.
  static func explain(_ error: any Error) -> any Error {
    switch error {
    case let error as StoreError:
      warn("signalbox: \(error)")
      switch error.code {
      case .locked:
        warn(
          "signalbox: a gateway or another command has this directory open; stop it, or make the"
            + " change through the gateway's API")
        return ExitStatus.locked
      case .damaged: return ExitStatus.damaged
      case .io, .poisoned:
        warn("signalbox: \(StateNotes.afterFailure)")
        return ExitStatus.failed
      case .full:
        warn("signalbox: free space on the file system that this names, and start again")
        return ExitStatus.failed
      case .conflict, .idReused, .invalidDraft, .notAStore, .permissions, .overloaded, .closed:
        return ExitStatus.failed
      }
    case ControlError.log(let error): return explain(error)
    case ControlError.unreadable:
      warn("signalbox: \(error)")
      return ExitStatus.damaged
    case let refusal as Refusal:
      warn("signalbox: refused (\(refusal.code.rawValue)): \(refusal.message)")
      if !refusal.remedy.isEmpty { warn("signalbox: \(refusal.remedy)") }
      return ExitStatus.failed
    case is ExitCode, is ValidationError, is CleanExit: return error
    case is ConfigFault, is VaultError, is ControlError, is FileText.Unreadable:
      warn("signalbox: \(error)")
      return ExitStatus.failed
    default:
      // What others threw: NIO's I/O errors say which call and which address, and no more.
      warn("signalbox: \(error)")
      return ExitStatus.failed
    }
  }
}
