import Surface

/// The calls of tools within a chat stream, put together from their fragments.
struct ChatCallAssembly {
  private struct Call {
    /// The provider's index.
    var slot: Int64?
    /// The provider's id; nil: it gave none so far.
    var id: String?
    /// The part's number; nil: not opened, because the name is not there yet.
    var number: Int?
    var name = ""
    var signature: String?
    /// Arguments that came before the name.
    var held = ""
    var balance = JSONBalance()
  }

  /// What a call may hold back before its name is there.
  private static let heldMax = 8 << 20

  private var open: [Call] = []
  /// Calls that are closed, of which some servers still send empty remainders.
  private var closedIDs: Set<String> = []
  private var closedSlots: Set<Int64> = []
  private var count = 0

  /// Whether there was a call at all.
  var hasAny: Bool { count > 0 || !open.isEmpty }

  /// Whether more of some call's arguments must come.
  var hasUnfinished: Bool { open.contains { !$0.balance.isComplete } }

  /// Takes one element of a delta's `tool_calls`, the one at `index`.
  mutating func take(
    _ value: JSONValue, at index: Int, of answer: String, _ partCount: inout Int,
    _ events: inout [StreamEvent]
  ) throws(TranslationFault) {
    let slot = value["index"]?.int
    let id = value["id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    let function = value["function"]
    let name = function?["name"]?.string ?? ""
    let arguments = chatArguments(function?["arguments"])
    var position = find(slot, id, name)
    if position == nil {
      let isBlank = arguments.allSatisfy(\.isWhitespace)
      let isRemainder = isRemainder(slot, id, name, isBlank: isBlank)
      if isBlank, isRemainder || (id == nil && name.isEmpty) { return }
      if isRemainder { throw fault(index, "goes on after its end") }
      closeComplete(of: answer, &partCount, &events)
      open.append(Call(slot: slot))
      position = open.count - 1
    }
    guard let position else { return }
    if open[position].id == nil { open[position].id = id }
    open[position].signature = open[position].signature ?? ChatSignature.read(value)
    if open[position].number == nil {
      open[position].name = name
      guard open[position].held.utf8.count + arguments.utf8.count <= Self.heldMax else {
        throw fault(index, "names no function")
      }
      open[position].held += arguments
      if !name.isEmpty { start(position, of: answer, &partCount, &events) }
    } else if !arguments.isEmpty {
      add(arguments, position, &events)
    }
  }

  /// Closes every call, in the order of their opening.
  mutating func closeAll(
    of answer: String, _ partCount: inout Int, _ events: inout [StreamEvent]
  ) {
    for position in open.indices { close(position, of: answer, &partCount, &events) }
    open = []
  }

  /// The open call that a fragment belongs to.
  private func find(_ slot: Int64?, _ id: String?, _ name: String) -> Int? {
    guard let slot else {
      // Without an index: by its id, else it goes on with the last unless it names another.
      if let id { return open.lastIndex { $0.id == id } }
      return name.isEmpty || open.last?.name.isEmpty ?? false ? open.indices.last : nil
    }
    guard let position = open.lastIndex(where: { $0.slot == slot }) else { return nil }
    // Some give every call the index 0: another id and a name make another call.
    let call = open[position]
    if let id, let known = call.id, id != known, !name.isEmpty { return nil }
    if id == nil, !name.isEmpty, !call.name.isEmpty, name != call.name { return nil }
    return position
  }

  /// Whether a fragment of no open call belongs to a closed one; some servers give several calls one id or index.
  private func isRemainder(_ slot: Int64?, _ id: String?, _ name: String, isBlank: Bool) -> Bool {
    if let id {
      return (name.isEmpty || isBlank) && closedIDs.contains(id)
        && slot.map { closedSlots.contains($0) } ?? true
    }
    return name.isEmpty && slot.map { closedSlots.contains($0) } ?? !closedIDs.isEmpty
  }

  private mutating func start(
    _ position: Int, of answer: String, _ partCount: inout Int, _ events: inout [StreamEvent]
  ) {
    let call = open[position]
    open[position].number = partCount
    events.append(
      .opened(
        partCount,
        .toolCall(
          id: call.id ?? chatCallID(count, of: answer), name: call.name,
          signature: call.signature)))
    partCount += 1
    count += 1
    open[position].held = ""
    if !call.held.isEmpty { add(call.held, position, &events) }
  }

  private mutating func add(
    _ arguments: String, _ position: Int, _ events: inout [StreamEvent]
  ) {
    guard let number = open[position].number else { return }
    open[position].balance.take(arguments)
    events.append(.piece(number, .arguments(arguments)))
  }

  /// Closes those whose arguments are whole, so that what follows need not wait for the stream's end.
  private mutating func closeComplete(
    of answer: String, _ partCount: inout Int, _ events: inout [StreamEvent]
  ) {
    for position in open.indices where open[position].balance.isComplete {
      close(position, of: answer, &partCount, &events)
    }
    open.removeAll { $0.balance.isComplete }
  }

  private mutating func close(
    _ position: Int, of answer: String, _ partCount: inout Int, _ events: inout [StreamEvent]
  ) {
    // A name that never came is for the client to wonder at.
    if open[position].number == nil { start(position, of: answer, &partCount, &events) }
    if let number = open[position].number { events.append(.closed(number)) }
    if let id = open[position].id { closedIDs.insert(id) }
    if let slot = open[position].slot { closedSlots.insert(slot) }
  }

  private func fault(_ index: Int, _ what: String) -> TranslationFault {
    let field = "choices[0].delta.tool_calls[\(index)]"
    return TranslationFault(.malformed, field, "\(field) of the provider's stream \(what).")
  }
}

/// Whether the text so far is one whole JSON object, told by its brackets.
struct JSONBalance {
  private var nesting = JSONNesting()
  private var hasOpened = false

  /// Every bracket that was opened is closed.
  var isComplete: Bool { hasOpened && nesting.depth == 0 }

  mutating func take(_ text: String) {
    for byte in text.utf8 where nesting.take(byte) == .opens { hasOpened = true }
  }
}
