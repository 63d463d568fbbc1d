import Surface
import Testing

@testable import Translation

/// Every value that comes of `value` by putting another one in the place of one part of it.
private func mutations(_ value: JSONValue) -> [JSONValue] {
  let strangers: [JSONValue] = [nil, true, 5, .number("-1e400"), "SECRET", [], ["SECRET"], [:]]
  var found = strangers
  switch value {
  case .object(let members):
    for (index, member) in members.enumerated() {
      for mutation in mutations(member.value) {
        var changed = members
        changed[index].value = mutation
        found.append(.object(changed))
      }
      var without = members
      without.remove(at: index)
      found.append(.object(without))
    }
    found.append(.object(members + [.init("SECRET".lowercased(), "SECRET")]))
  case .array(let elements):
    for (index, element) in elements.enumerated() {
      for mutation in mutations(element) {
        var changed = elements
        changed[index] = mutation
        found.append(.array(changed))
      }
    }
  case .string, .number, .bool, .null: break
  }
  return found
}

private let request = """
  {"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"stop":["SECRET"],
   "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
     "tools":[{"type":"function","function":{"name":"SECRET"}}]}},
   "response_format":{"type":"json_schema","json_schema":{"name":"SECRET","schema":{}}},
   "tools":[{"type":"function","function":{"name":"SECRET","parameters":{}},
     "cache_control":{"type":"ephemeral"}}],
   "messages":[{"role":"system","content":"SECRET"},
     {"role":"user","content":[{"type":"text","text":"SECRET"},
       {"type":"image_url","image_url":{"url":"data:image/png;base64,SECRET","detail":"low"}},
       {"type":"input_audio","input_audio":{"data":"SECRET","format":"wav"}},
       {"type":"file","file":{"filename":"SECRET","file_data":"data:a/b;base64,SECRET"}}]},
     {"role":"assistant","content":"SECRET","refusal":"SECRET","reasoning_content":"SECRET",
      "reasoning_details":[{"type":"reasoning.text","text":"SECRET","signature":"SECRET"},
        {"type":"reasoning.encrypted","data":"SECRET","format":"anthropic"}],
      "tool_calls":[{"id":"SECRET","type":"function",
        "function":{"name":"SECRET","arguments":"SECRET"},
        "extra_content":{"google":{"thought_signature":"SECRET"}}}]},
     {"role":"tool","tool_call_id":"SECRET","content":[{"type":"text","text":"SECRET"}]}]}
  """

private let answer = """
  {"id":"SECRET","model":"SECRET","created":5,"choices":[{"index":0,"finish_reason":"stop",
    "stop_reason":"SECRET","message":{"content":[{"type":"thinking","thinking":[{"text":"SECRET"}]}],
      "refusal":"SECRET","reasoning_details":[{"type":"reasoning.text","text":"SECRET","index":0}],
      "extra_content":{"google":{"thought_signature":"SECRET"}},
      "tool_calls":[{"id":"SECRET","index":0,
        "function":{"name":"SECRET","arguments":"SECRET"}}]}}],
   "usage":{"prompt_tokens":5,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2}}}
  """

/// Forms that nobody sends are read or refused; no refusal repeats what was sent.
@Suite struct ChatRobustnessTests {
  @Test func `requests of any form are read or refused without a word of theirs`() throws {
    var refused = 0
    let all = mutations(try Chat.json(request))
    for body in all {
      do throws(TranslationFault) {
        let conversation = try ChatClient.read(body, model: "gpt-5", isStream: true)
        _ = try ChatProvider.write(conversation)
      } catch {
        refused += 1
        #expect(!error.message.contains("SECRET") && !error.field.contains("SECRET"))
        #expect(error.message.utf8.count < 300)
      }
    }
    #expect(refused > all.count / 3 && refused < all.count)
  }

  @Test func `answers of any form are read or refused without a word of theirs`() throws {
    var refused = 0
    for body in mutations(try Chat.json(answer)) {
      do throws(TranslationFault) {
        _ = ChatClient.write(try ChatProvider.read(body), for: Chat.facts).bytes
      } catch {
        refused += 1
        #expect(error.kind == .malformed && !error.message.contains("SECRET"))
      }
    }
    #expect(refused > 10)
  }

  @Test func `chunks of any form are read or refused, and the promise holds`() throws {
    let whole = Chat.text(try Chat.json(answer))
    let chunk = try Chat.json(whole.replacing("\"message\":", with: "\"delta\":"))
    for frame in mutations(chunk) {
      var reader = ChatStreamReader()
      do throws(TranslationFault) {
        var events = try reader.take(event: nil, data: frame)
        events += try reader.take(event: nil, data: chunk)
        events += reader.finish()
        #expect(Chat.breach(events) == nil)
      } catch {
        #expect(error.kind == .malformed && !error.message.contains("SECRET"))
      }
    }
  }
}
