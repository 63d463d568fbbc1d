/// Words of the operator between the turns, where each provider has a place for them.
extension Conversation {
  /// Adds what the operator says here: before all turns it is the beginning.
  mutating func says(_ parts: [Part], _ field: String) {
    if parts.isEmpty { return }
    if turns.isEmpty {
      system += parts
    } else {
      turns.append(Turn(.system, parts, field: field))
    }
  }

  /// All of them at the beginning, for providers that know no other place.
  var withOperatorFirst: Conversation {
    var moved = self
    moved.turns = []
    for turn in turns {
      switch turn.role {
      case .system: moved.system += turn.parts
      case .user, .assistant: moved.turns.append(turn)
      }
    }
    return moved
  }

  /// Behind what the user says beside them, right before the model speaks again: never between calls and their results.
  ///
  /// `needsUser`: only where the user has spoken before them; the others go to the beginning.
  func withOperatorBeforeAnswers(needsUser: Bool) -> Conversation {
    var moved = self
    moved.turns = []
    var waiting: Turn?
    func place(_ words: Turn?) {
      guard let words else { return }
      if needsUser, moved.turns.last?.role != .user {
        moved.system += words.parts
      } else {
        moved.turns.append(words)
      }
    }
    for turn in turns {
      switch turn.role {
      case .system:
        let parts = (waiting?.parts ?? []) + turn.parts
        waiting = Turn(.system, parts, field: waiting?.field ?? turn.field)
      case .user: moved.turns.append(turn)
      case .assistant:
        place(waiting.take())
        moved.turns.append(turn)
      }
    }
    place(waiting)
    return moved
  }
}
