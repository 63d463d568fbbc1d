import Views

/// A new SQLite file of an export: a table for each kind of row, indexes, and views with sums.
public final class ExportFile {
  private let file: RowFile
  private let tables: [ExportTable]

  /// Begins a file that takes its name when it is whole.
  ///
  /// - Throws: `.usage` if something is there already, or the disk does not do what it should.
  public init(path: String, tables: Set<ExportTable>) throws(InquiryFault) {
    self.tables = ExportTable.allCases.filter(tables.contains)
    do throws(RowFile.Fault) {
      file = try RowFile(path: path, tables: self.tables.map(RowFile.Table.init))
    } catch {
      throw InquiryFault(error)
    }
  }

  /// Appends a row.
  public func insert(_ values: [ExportValue], into table: ExportTable) throws(InquiryFault) {
    let values = values.map { value -> RowFile.Value in
      switch value {
      case .none: .none
      case .number(let number): .number(number)
      case .text(let text): .text(text)
      }
    }
    do throws(RowFile.Fault) {
      try file.insert(values, into: table.rawValue)
    } catch {
      throw InquiryFault(error)
    }
  }

  /// Makes indexes and views, and gives the file its name.
  public func finish() throws(InquiryFault) {
    do throws(RowFile.Fault) {
      try file.finish(tables.map(\.furtherSQL).joined())
    } catch {
      throw InquiryFault(error)
    }
  }

  /// Throws away what was written.
  public func abandon() { file.abandon() }
}

extension InquiryFault {
  fileprivate init(_ fault: RowFile.Fault) {
    self.init(.usage, "The file cannot be written: \(fault.description).")
  }
}

extension RowFile.Table {
  fileprivate init(_ table: ExportTable) {
    self.init(
      name: table.rawValue,
      columns: table.columns.map { ($0.name, $0.isNumber, $0.isOptional) },
      primaryKey: table == .attempts ? ["position", "number"] : ["position"])
  }
}

extension ExportTable {
  /// Indexes over what people look for, and views with what they add up.
  fileprivate var furtherSQL: String {
    switch self {
    case .requests:
      """
      CREATE INDEX requests_time ON requests (time_ns);
      CREATE INDEX requests_id ON requests (request_id);
      CREATE INDEX requests_client_id ON requests (client_request_id);
      CREATE INDEX requests_key ON requests (key_id, time_ns);
      CREATE INDEX requests_account ON requests (account_id, time_ns);
      CREATE INDEX requests_status ON requests (status, time_ns);
      CREATE VIEW usage_by_day AS \(Self.usage(by: "substr(time, 1, 10) AS day"));
      CREATE VIEW usage_by_key AS \(Self.usage(by: "organisation, key_id, key_name"));
      CREATE VIEW usage_by_model AS \(Self.usage(by: "provider, model_resolved"));
      CREATE VIEW usage_by_account AS \(Self.usage(by: "provider, account_id, account_name"));
      CREATE VIEW failures AS
        SELECT * FROM requests WHERE ending <> 'completed' OR status >= 400;

      """
    case .attempts:
      """
      CREATE INDEX attempts_request ON attempts (request_id);
      CREATE INDEX attempts_account ON attempts (account_id, position);

      """
    case .events:
      """
      CREATE INDEX events_id ON events (event_id);
      CREATE INDEX events_time ON events (time_ns);
      CREATE INDEX events_stream ON events (stream, revision);
      CREATE INDEX events_kind ON events (kind, position);
      CREATE INDEX events_request ON events (request_id);
      CREATE VIEW edits AS
        SELECT position, epoch, time, stream, revision, kind, actor, source, address, text, fields
        FROM events WHERE source IS NOT NULL AND source <> 'system';

      """
    }
  }

  private static func usage(by columns: String) -> String {
    let names = columns.split(separator: " ").last.map(String.init) ?? columns
    let group = columns.contains(" AS ") ? names : columns
    return """
      SELECT \(columns), count(*) AS requests,
        sum(ending <> 'completed' OR status >= 400) AS failed,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cost_micro_usd) AS cost_micro_usd, sum(cost_micro_usd IS NULL) AS without_cost
        FROM requests GROUP BY \(group)
      """
  }
}
