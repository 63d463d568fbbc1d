extension OrganisationEvent.Named: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try OrganisationID(from: &reader)
    name = try reader.text()
  }
}

extension OrganisationEvent.LimitsSet: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    limits.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try OrganisationID(from: &reader)
    limits = try Limits(from: &reader)
  }
}

extension OrganisationEvent.BudgetsSet: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    budgets.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try OrganisationID(from: &reader)
    budgets = try [Budget](from: &reader)
  }
}
