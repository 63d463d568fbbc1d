/// What an endpoint takes and answers: the part of the OpenAPI document that its row does not say already.
///
/// Credentials, common errors, `x-request-id` and the parameters of the path follow from the row.
public struct Contract: Sendable, Hashable {
  /// In the order of the document; a name that is not here is refused in administration.
  public var query: [Parameter]
  /// What a request's body must be; nil: a body is not read.
  public var body: Schema?
  /// A request without a body is as good.
  public var bodyIsOptional: Bool
  /// Every answer that is no error of the catalogue.
  public var answers: [Answer]
  /// The errors particular to this endpoint.
  public var errors: [ErrorCode]
  /// A write that honours `If-Match`.
  public var honoursIfMatch: Bool

  /// A contract with all its parts.
  public init(
    query: [Parameter] = [], body: Schema? = nil, bodyIsOptional: Bool = false,
    answers: [Answer], errors: [ErrorCode] = [], honoursIfMatch: Bool = false
  ) {
    self.query = query
    self.body = body
    self.bodyIsOptional = bodyIsOptional
    self.answers = answers
    self.errors = errors
    self.honoursIfMatch = honoursIfMatch
  }

  /// A parameter of the query; each may be given once.
  public struct Parameter: Sendable, Hashable {
    /// As on the wire.
    public var name: String
    /// Of its value, which is text on the wire.
    public var schema: Schema
    /// Whether a request without it is refused.
    public var isRequired = false
    /// One sentence.
    public var note: String
  }

  /// One answer that is no error of the catalogue.
  public struct Answer: Sendable, Hashable {
    /// The HTTP status; nil: any that is not named.
    public var status: Int?
    /// One sentence without a full stop.
    public var note: String
    /// Of the body.
    public var schema: Schema
    /// Of the body.
    public var mediaType = "application/json"
    /// Fields of the head beside those that every answer has.
    public var headers: [Header] = []
  }

  /// A field of an answer's head.
  public enum Header: String, Sendable, Hashable, CaseIterable {
    /// The resource's revision.
    case eTag = "ETag"
    /// Opens or ends the browser's session.
    case setCookie = "Set-Cookie"
    /// Whether a list of recent requests goes back as far as was asked.
    case complete = "x-signalbox-complete"
    /// The oldest event looked at.
    case scannedTo = "x-signalbox-scanned-to"
    /// Where the next page begins; missing: there is none.
    case next = "x-signalbox-next"
    /// The last event of the log that the sums have.
    case position = "x-signalbox-position"
    /// Events that were acknowledged before the call and that the sums do not have yet.
    case lag = "x-signalbox-lag"
  }
}

// MARK: Vocabulary

extension Contract {
  /// A read of one thing.
  public static func read(
    query: [Parameter] = [], _ fields: [Schema.Field], revision: Bool = false,
    errors: [ErrorCode] = []
  ) -> Contract {
    Contract(
      query: query, answers: [.ok(.object(fields), revision: revision)], errors: errors)
  }

  /// A page of a list: `limit`, `after` and filters; `next` in the answer if there is more.
  public static func page(
    _ name: String, of element: Schema, filters: [Parameter] = [],
    also fields: [Schema.Field] = [], errors: [ErrorCode] = []
  ) -> Contract {
    Contract(
      query: filters + Parameter.paging,
      answers: [
        .ok(.object([.field(name, .array(of: element))] + fields + [.next]))
      ], errors: errors)
  }

  /// A write of a revisioned resource: honours `If-Match`, answers the resource with its revision.
  public static func write(
    query: [Parameter] = [], _ body: [Schema.Field]?, status: Int = 200,
    _ fields: [Schema.Field], errors: [ErrorCode] = []
  ) -> Contract {
    Contract(
      query: query, body: body.map { .object($0) },
      answers: [.init(status: status, .object(fields), revision: true)],
      errors: errors, honoursIfMatch: true)
  }

  /// A removal: honours `If-Match`, answers what was removed.
  public static func removal(
    query: [Parameter] = [], _ fields: [Schema.Field], errors: [ErrorCode]
  ) -> Contract {
    Contract(
      query: query, answers: [.ok(.object(fields))], errors: errors, honoursIfMatch: true)
  }
}

extension Contract.Answer {
  /// An answer with a JSON body and perhaps a revision.
  public init(
    status: Int?, _ schema: Schema, note: String? = nil, revision: Bool = false,
    headers: [Contract.Header] = []
  ) {
    self.init(
      status: status, note: note ?? (status == 201 ? "Created" : "Done"), schema: schema,
      headers: (revision ? [.eTag] : []) + headers)
  }

  /// Status 200 with a JSON body.
  public static func ok(
    _ schema: Schema, note: String? = nil, revision: Bool = false, headers: [Contract.Header] = []
  ) -> Self { Self(status: 200, schema, note: note, revision: revision, headers: headers) }
}

extension Contract.Parameter {
  /// How many elements a page has at most when `limit` is not given, and the most that it may be.
  public static let pageSize = 1000

  /// `limit` and `after`.
  public static let paging: [Self] = [
    .init(
      name: "limit", schema: .integer(1...Int64(pageSize)).byDefault(JSONValue(pageSize)),
      note: "The most elements of the page."),
    .init(
      name: "after", schema: .text(1...4096),
      note: "`next` of the page before."),
  ]

  /// Only elements whose field of this name has this value.
  public static func filter(_ name: String, _ schema: Schema) -> Self {
    .init(name: name, schema: schema, note: "Only those with this `\(name)`.")
  }

  /// Only elements in whose name or id this text stands, letters' case ignored.
  public static let search = Self(
    name: "q", schema: .text(1...128),
    note: "Only those in whose name or id this text stands; case does not matter.")
}

extension Schema.Field {
  /// The cursor of the next page.
  public static let next = Self.optional(
    "next", .string.described("Send it as `after`; not there on the last page."))
}
