"""What the real providers refuse, with what they say: each `check_…` raises `Refused` for a request of its protocol."""

import base64
import binascii
import re

from wire_plays import MARK

FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}$")
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Refused(Exception):
    def __init__(self, message, param=None, status=400, code=None):
        super().__init__(message)
        self.message, self.param, self.status, self.code = message, param, status, code


def need(condition, message, param=None, code=None):
    if not condition:
        raise Refused(message, param, code=code)


def known(value, names, place, message):
    for name in value:
        need(name in names, message.format(name=name, place=place), name, "unknown_parameter")


def is_base64(text, any_alphabet=False):
    """`any_alphabet`: Google takes the one for URLs too, and its SDK writes it."""
    if any_alphabet:
        text = text.replace("-", "+").replace("_", "/")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


# --- OpenAI chat -----------------------------------------------------------------------------------------------

CHAT = set(
    "model messages audio frequency_penalty logit_bias logprobs max_completion_tokens max_tokens metadata modalities "
    "n parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort response_format "
    "safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools top_logprobs "
    "top_p user verbosity web_search_options thinking".split())
CHAT_MESSAGE = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "annotations"}
CHAT_PARTS = {
    "system": ("text",), "developer": ("text",), "tool": ("text",), "assistant": ("text", "refusal"),
    "user": ("text", "image_url", "input_audio", "file"),
}


def check_chat(body, headers):
    known(body, CHAT, "", "Unrecognized request argument supplied: {name}")
    model = body.get("model")
    need(isinstance(model, str), "you must provide a model parameter", "model")
    messages = body.get("messages")
    need(isinstance(messages, list) and messages, "Missing required parameter: 'messages'.", "messages")
    check_chat_options(body, model)
    open_calls = {}
    for number, message in enumerate(messages):
        place = f"messages.[{number}]"
        role = message.get("role")
        need(role in CHAT_PARTS, f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', "
             "'function', 'tool', and 'developer'.", f"{place}.role", "invalid_value")
        if role == "tool":
            need(message.get("tool_call_id") in open_calls, "Invalid parameter: messages with role 'tool' must be a "
                 "response to a preceeding message with 'tool_calls'.", f"{place}.role")
            del open_calls[message["tool_call_id"]]
        else:
            need(not open_calls, "An assistant message with 'tool_calls' must be followed by tool messages responding "
                 f"to each 'tool_call_id'. Missing for: {', '.join(map(str, open_calls))}", place)
        check_chat_content(message, role, place)
        if model.startswith("gpt"):
            known(message, CHAT_MESSAGE, place, "Additional properties are not allowed ('{name}' was unexpected)")
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            need(call.get("type") == "function" and isinstance(call.get("id"), str), "Missing required parameter", place)
            need(isinstance(function.get("arguments"), str), "Invalid type for 'arguments': expected a string",
                 f"{place}.tool_calls")
            need(FUNCTION.match(function.get("name") or ""), "Invalid 'function.name'", f"{place}.tool_calls")
            open_calls[call["id"]] = function["name"]
        if "tool_calls" in message:
            need(message["tool_calls"], "[] is too short - 'messages.tool_calls'", place)
    need(not open_calls, "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
         f"'tool_call_id'. Missing for: {', '.join(map(str, open_calls))}", "messages")


def check_chat_options(body, model):
    if "stream_options" in body:
        need(body.get("stream") is True,
             "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if model.startswith(("gpt-5", "o1", "o3", "o4")):
        need("max_tokens" not in body, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
             "'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter")
    if model.startswith("gpt"):
        need("thinking" not in body, "Unrecognized request argument supplied: thinking", "thinking")
    tools = body.get("tools")
    need(tools is None or tools, "[] is too short - 'tools'", "tools")
    for name in ("tool_choice", "parallel_tool_calls"):
        need(tools or name not in body, f"'{name}' is only allowed when 'tools' are specified.", name)
    for tool in tools or []:
        need(tool.get("type") == "function", "Invalid value: tools[0].type", "tools")
        function = tool["function"]
        known(function, {"name", "description", "parameters", "strict"}, "tools", "Unknown parameter: '{name}'.")
        need(FUNCTION.match(function["name"]), "Invalid 'tools[0].function.name'", "tools")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function":
        names = [tool["function"]["name"] for tool in tools]
        need(choice["function"]["name"] in names, "Tool choice 'x' not found in 'tools' parameter.", "tool_choice")
    stop = body.get("stop") or []
    need(isinstance(stop, str) or len(stop) <= 4, "Invalid 'stop': array too long.", "stop")


def check_chat_content(message, role, place):
    content = message.get("content")
    if role == "assistant":
        need(content is not None or message.get("tool_calls") or message.get("refusal"),
             "Invalid value for 'content': expected a string, got null.", f"{place}.content")
    else:
        need(content is not None, "Invalid value for 'content': expected a string, got null.", f"{place}.content")
    if isinstance(content, list):
        need(content, "[] is too short - 'content'", f"{place}.content")
        for part in content:
            kind = part.get("type")
            need(kind in CHAT_PARTS[role], f"Invalid value: '{kind}'.", f"{place}.content", "invalid_value")
            need(kind != "text" or isinstance(part.get("text"), str), "Missing 'text'", place)
            if kind == "image_url":
                check_image_address(part["image_url"]["url"], place)
    else:
        need(content is None or isinstance(content, str), "Invalid type for 'content'", place)


def check_image_address(address, place):
    head, comma, data = address.partition(";base64,")
    if address.startswith("data:"):
        need(comma and head[5:] in IMAGES and is_base64(data), "Invalid base64 image_url.", place, "invalid_image_url")
    else:
        need(address.startswith(("http://", "https://")), f"Invalid image URL '{address[:40]}'", place)


# --- OpenAI Responses ------------------------------------------------------------------------------------------

RESPONSES = set(
    "background conversation include input instructions max_output_tokens max_tool_calls metadata model "
    "parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning "
    "safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs "
    "top_p truncation user".split())


def check_responses(body, headers):
    known(body, RESPONSES, "", "Unknown parameter: '{name}'.")
    need(isinstance(body.get("model"), str), "Missing required parameter: 'model'.", "model")
    given = body.get("input")
    need(isinstance(given, (str, list)) and given, "Missing required parameter: 'input'.", "input")
    for number, tool in enumerate(body.get("tools") or []):
        if tool.get("type") == "function":
            need("name" in tool, f"Missing required parameter: 'tools[{number}].name'.", f"tools[{number}].name")
    open_calls, calls = {}, set()
    for number, item in enumerate(given if isinstance(given, list) else []):
        place = f"input[{number}]"
        kind = item.get("type", "message")
        if kind == "message":
            check_responses_message(item, place)
        elif kind == "function_call":
            need(isinstance(item.get("arguments"), str), "Invalid type for 'arguments'.", place)
            calls.add(item["call_id"])
            open_calls[item["call_id"]] = place
        elif kind == "function_call_output":
            need(item.get("call_id") in calls,
                 f"No tool call found for function call output with call_id {item.get('call_id')}.", "input")
            open_calls.pop(item["call_id"], None)
        elif kind == "reasoning":
            need(isinstance(item.get("summary"), list), f"Missing required parameter: '{place}.summary'.", place)
            encrypted = item.get("encrypted_content")
            need(encrypted is None or encrypted.startswith("U2lnbmFsYm94VGVz"),
                 "The encrypted content could not be verified.", place, "invalid_encrypted_content")
        else:
            raise Refused(f"Invalid value: '{kind}'.", f"{place}.type")
    need(not open_calls, f"No tool output found for function call {', '.join(open_calls)}.", "input")


def check_responses_message(item, place):
    role, content = item.get("role"), item.get("content")
    need(role in ("user", "assistant", "system", "developer"), f"Invalid value: '{role}'.", f"{place}.role")
    allowed = ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image", "input_file")
    for part in content if isinstance(content, list) else []:
        need(part.get("type") in allowed, f"Invalid value: '{part.get('type')}'. Supported values are: "
             + " and ".join(f"'{name}'" for name in allowed) + ".", f"{place}.content[0].type", "invalid_value")
        if part["type"] == "input_image" and part.get("image_url"):
            check_image_address(part["image_url"], place)


# --- Anthropic Messages ----------------------------------------------------------------------------------------

MESSAGES = set(
    "model messages max_tokens container context_management inference_geo mcp_servers metadata output_config "
    "output_format service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p "
    "cache_control".split())
BLOCKS = {
    "user": ("text", "image", "document", "tool_result", "search_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
}


def check_count_tokens(body, headers):
    need("max_tokens" not in body, "max_tokens: Extra inputs are not permitted")
    check_messages({**body, "max_tokens": 1 << 20}, headers)


def check_messages(body, headers):
    need("thread" not in body, "thread: This request cannot be threaded.", None, "thread_unsupported_request")
    need(headers.get("anthropic-version") in ("2023-06-01", "2026-10-21"), "anthropic-version: header is required")
    known(body, MESSAGES, "", "{name}: Extra inputs are not permitted")
    need(isinstance(body.get("model"), str), "model: Field required")
    limit = body.get("max_tokens")
    need(isinstance(limit, int), "max_tokens: Field required")
    need(limit > 0, "max_tokens: Input should be greater than or equal to 1")
    messages = body.get("messages")
    need(isinstance(messages, list) and messages, "messages: at least one message is required")
    temperature = body.get("temperature", 1)
    need(0 <= temperature <= 1, "temperature: range: 0..1")
    check_thinking(body, limit, temperature)
    for number, tool in enumerate(body.get("tools") or []):
        if tool.get("type", "custom") == "custom":
            known(tool, {"name", "description", "input_schema", "type", "cache_control", "strict",
                         "eager_input_streaming", "input_examples"},
                  f"tools.{number}.custom", "{place}.{name}: Extra inputs are not permitted")
            need(FUNCTION.match(tool.get("name") or ""), f"tools.{number}.custom.name: String should match pattern")
            need(tool.get("input_schema", {}).get("type") == "object",
                 f"tools.{number}.custom.input_schema.type: Field required")
    need("tool_choice" not in body or body.get("tools"), "tool_choice: may only be specified while providing tools")
    for block in body["system"] if isinstance(body.get("system"), list) else []:
        need(block.get("text"), "system: text content blocks must be non-empty")
    check_turns(messages, (body.get("thinking") or {}).get("type"), body["model"])


def check_thinking(body, limit, temperature):
    thinking = body.get("thinking") or {"type": "disabled"}
    kind = thinking.get("type")
    need(kind in ("enabled", "disabled", "adaptive"), "thinking: Input tag 'x' found using 'type' does not match")
    if kind == "disabled":
        return
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        need(isinstance(budget, int), "thinking.enabled.budget_tokens: Field required")
        need(budget >= 1024, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        need(budget < limit, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    need(temperature == 1, "`temperature` may only be set to 1 when thinking is enabled.")
    need("top_k" not in body, "`top_k` must be unset when thinking is enabled.")
    need((body.get("tool_choice") or {}).get("type") in (None, "auto", "none"),
         "Thinking may not be enabled when tool_choice forces tool use.")


def check_turns(messages, thinking, model):
    need(messages[0].get("role") == "user", 'messages: first message must use the "user" role')
    waiting = []
    for number, message in enumerate(messages):
        place, role, content = f"messages.{number}", message.get("role"), message.get("content")
        known(message, {"role", "content"}, place, "{place}.{name}: Extra inputs are not permitted")
        if role == "system" and number:
            need("opus-5" in model, "role 'system' is not supported on this model")
            need(messages[number - 1].get("role") == "user", f"{place}: a system message must follow a user message")
            need(number == len(messages) - 1 or messages[number + 1].get("role") == "assistant",
                 f"{place}: a system message must be the last one, or be followed by an assistant's")
            blocks = [] if isinstance(content, str) and content else content
            need(all(block.get("type") == "text" and block.get("text") for block in blocks), f"{place}: only text")
            continue
        need(role in BLOCKS, f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system` '
             "parameter, not \"system\" as an input message role.")
        need(content or (role == "assistant" and number == len(messages) - 1),
             f"{place}: all messages must have non-empty content except for the optional final assistant message")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
        for identity in results:
            need(identity in waiting, f"{place}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                 f"{identity}. Each `tool_result` block must have a corresponding `tool_use` block in the previous "
                 "message.")
        need(set(waiting) <= set(results), f"{place}: `tool_use` ids were found without `tool_result` blocks "
             f"immediately after: {', '.join(waiting)}.")
        kinds = [block.get("type") for block in blocks]
        need(not results or kinds[:len(results)] == ["tool_result"] * len(results),
             f"{place}: tool_result blocks must come first in the content")
        for block in blocks:
            check_block(block, role, place)
        waiting = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        need(len(set(waiting)) == len(waiting), f"{place}: `tool_use` ids must be unique")
        if waiting and thinking == "enabled" and all(m["role"] == "user" for m in messages[number + 1:]):
            need(kinds[0] in ("thinking", "redacted_thinking"), f"{place}.content.0.type: Expected `thinking` or "
                 f"`redacted_thinking`, but found `{kinds[0]}`. When `thinking` is enabled, a final `assistant` "
                 "message must start with a thinking block.")
    need(not waiting, "`tool_use` ids were found without `tool_result` blocks immediately after")
    last = messages[-1]
    if last["role"] == "assistant" and isinstance(last["content"], str):
        need(last["content"] == last["content"].rstrip(),
             "messages: final assistant content cannot end with trailing whitespace")


def check_block(block, role, place):
    kind = block.get("type")
    need(kind in BLOCKS[role], f"{place}.content.0: Input tag '{kind}' found using 'type' does not match any of the "
         "expected tags")
    if kind == "text":
        need(block.get("text"), "messages: text content blocks must be non-empty")
        known(block, {"type", "text", "cache_control", "citations"}, place, "{place}.{name}: Extra inputs are not permitted")
    elif kind == "thinking":
        known(block, {"type", "thinking", "signature"}, place, "{place}.{name}: Extra inputs are not permitted")
        need(isinstance(block.get("signature"), str), f"{place}.content.0.thinking.signature: Field required")
        need(block["signature"].startswith("U2lnbmFsYm94VGVz"), f"{place}.content.0: Invalid `signature` in `thinking` block")
    elif kind == "tool_use":
        need(re.match(r"[a-zA-Z0-9_-]+$", block.get("id") or ""), f"{place}.content.0.tool_use.id: String should match pattern")
        need(FUNCTION.match(block.get("name") or ""), f"{place}.content.0.tool_use.name: String should match pattern")
        need(isinstance(block.get("input"), dict), f"{place}.content.0.tool_use.input: Input should be a valid dictionary")
    elif kind == "image":
        check_source(block, place)
    elif kind == "tool_result" and isinstance(block.get("content"), list):
        for inner in block["content"]:
            need(inner.get("type") in ("text", "image", "document"), f"{place}.content.0.tool_result: wrong content")
            if inner["type"] == "image":
                check_source(inner, place)


def check_source(block, place):
    source = block.get("source") or {}
    if source.get("type") == "base64":
        need(source.get("media_type") in IMAGES, f"{place}.content.0.image.source.base64.media_type: Input should be "
             "'image/jpeg', 'image/png', 'image/gif' or 'image/webp'")
        need(is_base64(source.get("data", "")), f"{place}.content.0.image.source.base64.data: invalid base64 data")
    else:
        need(source.get("type") in ("url", "file"), f"{place}.content.0.image.source: Input tag does not match")


# --- Gemini ----------------------------------------------------------------------------------------------------

GEMINI = {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
          "cachedContent", "serviceTier", "store"}
GEMINI_PART = {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
               "codeExecutionResult", "thought", "thoughtSignature", "videoMetadata", "partMetadata", "mediaResolution"}
GENERATION = set(
    "stopSequences responseMimeType responseSchema responseJsonSchema responseModalities candidateCount "
    "maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs logprobs "
    "enableEnhancedCivicAnswers speechConfig thinkingConfig imageConfig mediaResolution".split())
#: Google's `Schema`; what JSON Schema has beside it must come as `parametersJsonSchema`.
SCHEMA = set(
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties "
    "minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum additionalProperties "
    "$ref $defs".split())
UNKNOWN = 'Invalid JSON payload received. Unknown name "{name}" at \'{place}\': Cannot find field.'


def camel(value):
    """As Google reads names: `snake_case` is the same as `camelCase`."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z])", lambda found: found[1].upper(), name):
                item if name in ("args", "response", "parametersJsonSchema", "parameters_json_schema",
                                 "responseJsonSchema", "properties") else camel(item)
            for name, item in value.items()}
    return value


def check_gemini(body, model):
    body = camel(body)
    known(body, GEMINI, "", UNKNOWN)
    known(body.get("generationConfig") or {}, GENERATION, "generation_config", UNKNOWN)
    contents = body.get("contents")
    need(isinstance(contents, list) and contents, "* GenerateContentRequest.contents: contents is not specified")
    for part in (body.get("systemInstruction") or {}).get("parts", []):
        known(part, GEMINI_PART, "system_instruction.parts[0]", UNKNOWN)
    for tool in body.get("tools") or []:
        for function in tool.get("functionDeclarations", []):
            need(re.match(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$", function.get("name") or ""),
                 "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.")
            need(not ("parameters" in function and "parametersJsonSchema" in function), "only one of parameters")
            check_schema(function.get("parameters") or {})
    waiting, seen_calls = 0, False
    for number, turn in enumerate(contents):
        place = f"contents[{number}]"
        known(turn, {"role", "parts"}, place, UNKNOWN)
        need(turn.get("role", "user") in ("user", "model"), "Please use a valid role: user, model.")
        need(turn.get("parts"), f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty.")
        for part in turn["parts"]:
            known(part, GEMINI_PART, f"{place}.parts[0]", UNKNOWN)
            data = sorted(set(part) & {"text", "inlineData", "fileData", "functionCall", "functionResponse"})
            need(len(data) == 1, f"* GenerateContentRequest.{place}.parts[0].data: required oneof field 'data' must "
                 "have one initialized field")
            if "inlineData" in part:
                need(part["inlineData"].get("mimeType") and is_base64(part["inlineData"].get("data", ""), True),
                     f"Invalid value at '{place}.parts[0].inline_data.data' (TYPE_BYTES)")
            if "thoughtSignature" in part:
                need(is_base64(part["thoughtSignature"], True) or part["thoughtSignature"] in
                     ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go"),
                     f"Invalid value at '{place}.parts[0].thought_signature' (TYPE_BYTES)")
        answers = sum("functionResponse" in part for part in turn["parts"])
        if waiting or answers:
            need(answers == waiting, "Please ensure that the number of function response parts is equal to the number "
                 "of function call parts of the function call turn.")
        calls = [part for part in turn["parts"] if "functionCall" in part]
        if calls:
            need(turn["role"] == "model" and number and contents[number - 1].get("role", "user") == "user",
                 "Please ensure that function call turn comes immediately after a user turn or after a function "
                 "response turn.")
            if model.startswith("gemini-3"):
                need("thoughtSignature" in calls[0], "Function call is missing a thought_signature in functionCall "
                     "parts. This is required for tools to work correctly.")
        waiting = len(calls)
    need(not waiting, "Please ensure that function call turn is followed by a function response turn.")


def check_schema(schema):
    known(schema, SCHEMA, "tools[0].function_declarations[0].parameters", UNKNOWN)
    for inner in (schema.get("properties") or {}).values():
        check_schema(inner)
    if isinstance(schema.get("items"), dict):
        check_schema(schema["items"])


# --- what has only its own protocol ----------------------------------------------------------------------------

def check_completions(body, headers):
    need(isinstance(body.get("model"), str), "you must provide a model parameter", "model")
    need("prompt" in body and "messages" not in body, "Missing required parameter: 'prompt'.", "prompt")
    need("stream_options" not in body or body.get("stream"),
         "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def check_embeddings(body, headers):
    known(body, {"model", "input", "dimensions", "encoding_format", "user"}, "",
          "Unrecognized request argument supplied: {name}")
    need(body.get("input"), "'$.input' is invalid.", "input")


def is_lenient(body):
    """A prompt `[play … 7777]` may hold fields that nobody knows: for what must pass byte for byte."""
    marks = MARK.findall(body)
    return bool(marks) and marks[-1][1] == b"7777"
