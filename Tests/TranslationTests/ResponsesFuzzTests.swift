import Support
import Surface
import Testing

@testable import Translation

/// Requests, answers and frames with something in them exchanged at random.
@Suite struct ResponsesFuzzTests {
  /// Read or refused: never a crash, never a value in a fault, for any provider.
  @Test("whatever a client sends is read or refused") func requests() throws {
    var random = SeededRandom(seed: .random(in: 0 ... .max))
    let whole = try Responses.json(request)
    _ = try ResponsesClient.read(whole, model: "m", isStream: false)
    let providers: [any ProviderSide.Type] = [
      ChatProvider.self, MessagesProvider.self, GeminiProvider.self, ResponsesProvider.self,
    ]
    var written = 0
    for _ in 0..<1500 {
      let body = mutate(whole, &random)
      for provider in providers {
        do throws(TranslationFault) {
          _ = try provider.write(try ResponsesClient.read(body, model: "m", isStream: true))
          written += 1
        } catch {
          #expect(!error.message.contains("secret"), "seed \(random.seed)")
          #expect(!error.field.contains("secret"), "seed \(random.seed)")
        }
      }
    }
    // Most changes hit something that may be absent: else this would only try refusals.
    #expect(written > 500)
  }

  @Test("whatever a provider answers is read or refused") func answers() throws {
    var random = SeededRandom(seed: .random(in: 0 ... .max))
    let whole = try Responses.json(answer)
    _ = try ResponsesProvider.read(whole)
    for _ in 0..<1500 {
      do throws(TranslationFault) {
        let answer = try ResponsesProvider.read(mutate(whole, &random))
        _ = ResponsesClient.write(answer, for: Responses.facts())
      } catch {
        #expect(!error.message.contains("secret"), "seed \(random.seed)")
      }
    }
  }

  /// Until a fault, events keep their promise, and the writer ends what the reader ends.
  @Test("whatever a provider streams keeps the promise") func streams() throws {
    var random = SeededRandom(seed: .random(in: 0 ... .max))
    for name in ["parallel-tools", "reasoning-cached", "interleaved-tools", "error"] {
      let frames = try Responses.frames(try Responses.fixture("provider-\(name).sse"))
      for _ in 0..<100 {
        var reader = ResponsesStreamReader()
        var events: [StreamEvent] = []
        do throws(TranslationFault) {
          for frame in frames {
            let data = random.oneIn(8) ? mutate(frame.data, &random) : frame.data
            events += try reader.take(event: frame.event, data: data)
          }
        } catch {
          #expect(!error.message.contains("secret"), "seed \(random.seed)")
        }
        #expect(Responses.brokenPromise(events) == nil, "seed \(random.seed)")
        _ = Responses.stream(events)
      }
    }
  }

  /// One place of the tree exchanged, taken out or doubled.
  private func mutate(_ value: JSONValue, _ random: inout SeededRandom) -> JSONValue {
    if random.oneIn(6) { return replacement(&random) }
    switch value {
    case .object(var members) where !members.isEmpty:
      let index = random.int(0...members.count - 1)
      switch random.int(0...9) {
      case 0: members.remove(at: index)
      case 1: members.append(.init("other", replacement(&random)))
      default: members[index].value = mutate(members[index].value, &random)
      }
      return .object(members)
    case .array(var elements) where !elements.isEmpty:
      let index = random.int(0...elements.count - 1)
      switch random.int(0...9) {
      case 0: elements.remove(at: index)
      case 1: elements.append(elements[index])
      default: elements[index] = mutate(elements[index], &random)
      }
      return .array(elements)
    default: return replacement(&random)
    }
  }

  private func replacement(_ random: inout SeededRandom) -> JSONValue {
    let values: [JSONValue] = [
      nil, true, false, 0, -1, .number("18446744073709551616"), .number("1e999"), "", "secret",
      "data:secret", "data:image/png;base64,secret", "signalbox.thinking:\u{301}secret",
      "signalbox.call:", "responses:", [], [[]], [:], ["type": "secret"], ["secret"],
    ]
    return values[random.int(0...values.count - 1)]
  }
}

private let request = #"""
  {"model":"m","instructions":"be","input":[
  {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}]},
  {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"signalbox.thinking:SIG"},
  {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"signalbox.call:CS"},
  {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}","status":"completed"},
  {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"two"}]},
  {"role":"assistant","content":[{"type":"output_text","text":"t","annotations":[]}]},
  {"role":"user","content":"and"}],
  "tools":[{"type":"function","name":"f","description":"d","strict":false,"parameters":{"type":"object","properties":{"a":{"type":"string"}}}}],
  "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
  "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},
  "reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"],
  "max_output_tokens":4000,"temperature":1,"metadata":{"a":"b"},"store":false,"truncation":"disabled"}
  """#

private let answer = #"""
  {"id":"resp_1","object":"response","created_at":1741476777,"status":"completed","model":"gpt-5","output":[
  {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"gAAA"},
  {"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]},{"type":"refusal","refusal":"no"}]},
  {"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{}"}],
  "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}}
  """#
