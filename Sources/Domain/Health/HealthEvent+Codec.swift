extension CooldownScope: Payload {
  func write(to writer: inout RecordWriter) {
    switch self {
    case .account: writer.byte(1)
    case .model(let name):
      writer.byte(2)
      writer.text(name)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    switch try reader.byte() {
    case 1: self = .account
    case 2: self = .model(try reader.text())
    case _: throw reader.failure(.invalidValue)
    }
  }
}

extension HealthEvent.CooldownStarted: Payload {
  private enum Flag {
    static let status: UInt64 = 1 << 0
    static let errorCode: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.status.when(status != nil) | Flag.errorCode.when(errorCode != nil))
    account.write(to: &writer)
    scope.write(to: &writer)
    writer.text(rule)
    writer.time(until)
    status?.write(to: &writer)
    errorCode?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    account = try AccountID(from: &reader)
    scope = try CooldownScope(from: &reader)
    rule = try reader.text()
    until = try reader.time()
    status = try reader.optional(flags, Flag.status)
    errorCode = try reader.optional(flags, Flag.errorCode)
  }
}

extension HealthEvent.CooldownEnded: Payload {
  private static let hasScope: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasScope.when(scope != nil))
    account.write(to: &writer)
    scope?.write(to: &writer)
    writer.byte(reason.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasScope)
    account = try AccountID(from: &reader)
    scope = try reader.optional(flags, Self.hasScope)
    reason = try reader.one(of: HealthEvent.EndReason.self)
  }
}

extension HealthEvent.Tested: Payload {
  private enum Flag {
    static let isValid: UInt64 = 1 << 0
    static let model: UInt64 = 1 << 1
    static let status: UInt64 = 1 << 2
    static let errorClass: UInt64 = 1 << 3
    static let errorCode: UInt64 = 1 << 4
    static let all: UInt64 = 0b1_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.isValid.when(isValid) | Flag.model.when(model != nil)
        | Flag.status.when(status != nil) | Flag.errorClass.when(errorClass != nil)
        | Flag.errorCode.when(errorCode != nil))
    account.write(to: &writer)
    model?.write(to: &writer)
    writer.varint(latencyMicroseconds)
    status?.write(to: &writer)
    if let errorClass { writer.byte(errorClass.rawValue) }
    errorCode?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    isValid = flags & Flag.isValid != 0
    account = try AccountID(from: &reader)
    model = try reader.optional(flags, Flag.model)
    latencyMicroseconds = try reader.varint()
    status = try reader.optional(flags, Flag.status)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    errorCode = try reader.optional(flags, Flag.errorCode)
  }
}

extension HealthEvent.ErrorNote: Payload {
  private enum Flag {
    static let isSet: UInt64 = 1 << 0
    static let status: UInt64 = 1 << 1
    static let code: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    switch self {
    case .cleared: writer.varint(0)
    case .set(let status, let code):
      writer.varint(
        Flag.isSet | Flag.status.when(status != nil) | Flag.code.when(code != nil))
      status?.write(to: &writer)
      code?.write(to: &writer)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    guard flags != 0 else {
      self = .cleared
      return
    }
    guard flags & Flag.isSet != 0 else { throw reader.failure(.invalidValue) }
    self = .set(
      status: try reader.optional(flags, Flag.status),
      code: try reader.optional(flags, Flag.code))
  }
}

extension HealthEvent.Noted: Payload {
  private enum Flag {
    static let testStatus: UInt64 = 1 << 0
    static let error: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.testStatus.when(testStatus != nil) | Flag.error.when(error != nil))
    account.write(to: &writer)
    if let testStatus { writer.byte(testStatus.rawValue) }
    error?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    account = try AccountID(from: &reader)
    testStatus = flags & Flag.testStatus == 0 ? nil : try reader.one(of: TestStatus.self)
    error = try reader.optional(flags, Flag.error)
  }
}

extension HealthEvent.ProbeStarted: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    scope.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    scope = try CooldownScope(from: &reader)
  }
}

extension HealthEvent.QuirkLearned: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.byte(quirk.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    quirk = try reader.one(of: Quirk.self)
  }
}
