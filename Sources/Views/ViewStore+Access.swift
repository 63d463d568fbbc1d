internal import Foundation
internal import GRDB

/// Every look into the file goes through here, so that damage in it is told from all else, whoever finds it.
extension ViewStore {
  /// - Throws: `ViewFault.damaged` where the file does not hold what was written to it, `.closed`; `DatabaseError`
  ///   where the disk does not do what it should.
  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try telling { try pool.read(body) }
  }

  /// The same for changes, all of which happen or none.
  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try telling { try pool.write(body) }
  }

  /// The same outside of a transaction.
  func writeAlone<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try telling { try pool.unsafeReentrantWrite(body) }
  }

  private func telling<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try ViewFault.telling(body)
    } catch let fault as ViewFault {
      if case .damaged = fault { note(fault) }
      throw fault
    }
  }
}

extension ViewFault {
  /// Runs `body`; SQLite's own words for damage become a fault.
  static func telling<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError where error.isDamage {
      throw ViewFault.damaged(error.message ?? error.resultCode.description)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_MISUSE {
      throw ViewFault.closed
    } catch let error as RowDecodingError {
      throw ViewFault.damaged("\(error)")
    }
  }
}

extension DatabaseError {
  /// The file is no database, or a broken one; anything else is about the disk or the program.
  ///
  /// No statement here breaks a rule of the tables, is wrong or too long by itself: where SQLite says so, what is in
  /// the file is not what was written.
  fileprivate var isDamage: Bool {
    switch resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_SCHEMA, .SQLITE_CONSTRAINT,
      .SQLITE_MISMATCH, .SQLITE_TOOBIG, .SQLITE_FORMAT:
      true
    case _:
      extendedResultCode == .SQLITE_IOERR_SHORT_READ
        || extendedResultCode == .SQLITE_IOERR_CORRUPTFS
    }
  }
}

/// Cells as the tables declare them. GRDB's own subscripts end the process where a broken page holds something else.
extension Row {
  /// A whole number.
  func integer(_ at: Int) throws -> Int64 {
    guard case .int64(let number) = (self[at] as DatabaseValue).storage else {
      throw ViewFault.damaged("a number is none")
    }
    return number
  }

  /// A whole number that counts something; a number that nothing counts to is none of ours.
  func count(_ at: Int) throws -> Int64 {
    let number = try integer(at)
    guard (0...1 << 53).contains(number) else {
      throw ViewFault.damaged("\(number) was never counted")
    }
    return number
  }

  /// A sum of what providers claim.
  func sum(_ at: Int) throws -> Int64 {
    let number = try integer(at)
    guard number >= 0 else { throw ViewFault.damaged("\(number) is no sum") }
    return number
  }

  /// A text; nil: none.
  func text(_ at: Int) throws -> String? {
    switch (self[at] as DatabaseValue).storage {
    case .string(let text): return text
    case .null: return nil
    case .int64, .double, .blob: throw ViewFault.damaged("a text is none")
    }
  }

  func bytes(_ at: Int) throws -> [UInt8] {
    guard case .blob(let data) = (self[at] as DatabaseValue).storage else {
      throw ViewFault.damaged("bytes are none")
    }
    return [UInt8](data)
  }
}

extension Int64 {
  /// The sum, or the largest number: what a broken page claims must not end the process.
  func adding(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }
}
