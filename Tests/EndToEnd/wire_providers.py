"""Providers that speak the protocols of OpenAI, Anthropic and Google, each as strict as the real one.

One port has them all: the path decides, as at the gateway. What they answer is in `wire_plays`, what they refuse in
`wire_strict`.
"""

import base64
import contextlib
import json
import random
import socket
import threading
import time
import urllib.parse

import wire_strict as strict
from wire_plays import Call, Refusal, Text, Thought, asked

KEY = "sk-wire-provider"
CREATED = 1_790_000_000


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Chat:
    name = "chat"
    check = staticmethod(strict.check_chat)
    stops = {"end": "stop", "sequence": "stop", "length": "length", "calls": "tool_calls", "refusal": "stop",
             "filtered": "content_filter"}

    @staticmethod
    def is_allowed(request):
        return request.headers.get("authorization") == f"Bearer {KEY}"

    @staticmethod
    def error(status, message, param=None, code=None):
        kind, usual = {
            400: ("invalid_request_error", None), 401: ("invalid_request_error", "invalid_api_key"),
            403: ("invalid_request_error", "unsupported_country_region_territory"),
            404: ("invalid_request_error", "model_not_found"), 413: ("invalid_request_error", None),
            422: ("invalid_request_error", None),
            429: ("requests", "rate_limit_exceeded"), 503: ("server_error", "overloaded"),
        }.get(status, ("server_error", None))
        return {"error": {"message": message, "type": kind, "param": param, "code": code or usual}}

    @classmethod
    def too_long(cls):
        return cls.error(
            400, "This model's maximum context length is 128000 tokens. However, your messages resulted in 128011 tokens. "
            "Please reduce the length of the messages.", "messages", "context_length_exceeded")

    @staticmethod
    def headers(seed):
        return [("x-request-id", f"req_{seed}"), ("openai-processing-ms", "12"), ("openai-version", "2020-10-01"),
                ("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "499"),
                ("x-ratelimit-reset-requests", "120ms")]

    @staticmethod
    def usage(play):
        usage = play.usage
        return {
            "prompt_tokens": usage.input, "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0}}

    @staticmethod
    def calls(play):
        return [
            {"id": f"call_{play.seed}_{number}", "type": "function",
             "function": {"name": name, "arguments": text(arguments)}}
            for number, (name, arguments) in enumerate(play.calls())]

    @classmethod
    def whole(cls, play, request):
        message = {"role": "assistant", "content": play.text() or None, "refusal": play.refusal() or None}
        if play.thoughts():
            message["reasoning_content"] = play.thoughts()
        if play.calls():
            message["tool_calls"] = cls.calls(play)
        return {
            "id": f"chatcmpl-{play.seed}", "object": "chat.completion", "created": CREATED,
            "model": request.json["model"], "service_tier": "default", "system_fingerprint": "fp_wire",
            "choices": [{
                "index": 0, "message": message, "logprobs": None, "finish_reason": cls.stops[play.stop]}],
            "usage": cls.usage(play)}

    @classmethod
    def frames(cls, play, request):
        wants_usage = (request.json.get("stream_options") or {}).get("include_usage", False)

        def frame(choices, usage=None):
            chunk = {
                "id": f"chatcmpl-{play.seed}", "object": "chat.completion.chunk", "created": CREATED,
                "model": request.json["model"], "service_tier": "default", "system_fingerprint": "fp_wire",
                "choices": choices}
            if wants_usage:
                chunk["usage"] = usage
            return f"data: {text(chunk)}\n\n"

        def delta(value, finish=None):
            return frame([{"index": 0, "delta": value, "logprobs": None, "finish_reason": finish}])

        yield delta({"role": "assistant", "content": "", "refusal": None})
        number = 0
        for part in play.parts:
            if isinstance(part, Call):
                arguments = text(part.arguments)
                call = cls.calls(play)[number]
                yield delta({"tool_calls": [{
                    "index": number, **call, "function": {"name": part.name, "arguments": ""}}]})
                for piece in play.pieces(arguments):
                    yield delta({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
                number += 1
            else:
                name = {Text: "content", Thought: "reasoning_content", Refusal: "refusal"}[type(part)]
                for piece in play.pieces(part.text):
                    yield delta({name: piece})
        yield delta({}, cls.stops[play.stop])
        if wants_usage:
            yield frame([], cls.usage(play))
        yield "data: [DONE]\n\n"

    @classmethod
    def failure(cls, number):
        return f"data: {text(cls.error(500, 'The server had an error while processing your request. Sorry!'))}\n\n"


class Completions(Chat):
    name = "completions"
    check = staticmethod(strict.check_completions)

    @classmethod
    def whole(cls, play, request):
        return {
            "id": f"cmpl-{play.seed}", "object": "text_completion", "created": CREATED,
            "model": request.json["model"],
            "choices": [{"text": play.text(), "index": 0, "logprobs": None, "finish_reason": cls.stops[play.stop]}],
            "usage": cls.usage(play)}

    @classmethod
    def frames(cls, play, request):
        wants_usage = (request.json.get("stream_options") or {}).get("include_usage", False)

        def frame(choices, usage=None):
            chunk = {"id": f"cmpl-{play.seed}", "object": "text_completion", "created": CREATED,
                     "choices": choices, "model": request.json["model"]}
            if wants_usage:
                chunk["usage"] = usage
            return f"data: {text(chunk)}\n\n"

        for piece in play.pieces(play.text()):
            yield frame([{"text": piece, "index": 0, "logprobs": None, "finish_reason": None}])
        yield frame([{"text": "", "index": 0, "logprobs": None, "finish_reason": cls.stops[play.stop]}])
        if wants_usage:
            yield frame([], cls.usage(play))
        yield "data: [DONE]\n\n"


class Embeddings(Chat):
    name = "embeddings"
    check = staticmethod(strict.check_embeddings)

    @classmethod
    def whole(cls, play, request):
        given = request.json["input"]
        count = len(given) if isinstance(given, list) else 1
        return {
            "object": "list", "model": request.json["model"],
            "data": [{"object": "embedding", "index": n, "embedding": [0.25, -0.5, n]} for n in range(count)],
            "usage": {"prompt_tokens": play.usage.input, "total_tokens": play.usage.input}}


class Responses(Chat):
    name = "responses"
    check = staticmethod(strict.check_responses)

    @classmethod
    def usage(cls, play):
        usage = play.usage
        return {
            "input_tokens": usage.input, "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
            "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output}

    @classmethod
    def response(cls, play, request, output=(), status="in_progress", usage=None):
        json_ = request.json
        reason = {"length": "max_output_tokens", "filtered": "content_filter"}.get(play.stop)
        return {
            "id": f"resp_{play.seed}", "object": "response", "created_at": CREATED, "status": status,
            "background": False, "error": None,
            "incomplete_details": {"reason": reason} if status == "incomplete" else None,
            "instructions": json_.get("instructions"), "max_output_tokens": json_.get("max_output_tokens"),
            "model": json_["model"], "output": list(output), "parallel_tool_calls": True,
            "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "store": False,
            "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": json_.get("tool_choice", "auto"),
            "tools": json_.get("tools", []), "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": None,
            "metadata": {}}

    @classmethod
    def end(cls, play):
        return "incomplete" if play.stop in ("length", "filtered") else "completed"

    @classmethod
    def items(cls, play):
        items = []
        for number, part in enumerate(play.parts):
            if isinstance(part, Thought):
                items.append({
                    "id": f"rs_{play.seed}_{number}", "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": part.text}],
                    "encrypted_content": play.signature(number)})
            elif isinstance(part, Call):
                items.append({
                    "id": f"fc_{play.seed}_{number}", "type": "function_call", "status": "completed",
                    "arguments": text(part.arguments), "call_id": f"call_{play.seed}_{number}", "name": part.name})
            else:
                content = (
                    {"type": "refusal", "refusal": part.text} if isinstance(part, Refusal)
                    else {"type": "output_text", "annotations": [], "logprobs": [], "text": part.text})
                items.append({
                    "id": f"msg_{play.seed}_{number}", "type": "message", "status": cls.end(play),
                    "content": [content], "role": "assistant"})
        return items

    @classmethod
    def whole(cls, play, request):
        return cls.response(play, request, cls.items(play), cls.end(play), cls.usage(play))

    @classmethod
    def frames(cls, play, request):
        count = -1

        def frame(kind, **more):
            nonlocal count
            count += 1
            return f"event: {kind}\ndata: {text({'type': kind, 'sequence_number': count, **more})}\n\n"

        items = cls.items(play)
        yield frame("response.created", response=cls.response(play, request))
        yield frame("response.in_progress", response=cls.response(play, request))
        for index, item in enumerate(items):
            place = {"item_id": item["id"], "output_index": index}
            if item["type"] == "reasoning":
                yield frame("response.output_item.added", output_index=index,
                            item={**item, "summary": [], "encrypted_content": ""})
                yield frame("response.reasoning_summary_part.added", **place, summary_index=0,
                            part={"type": "summary_text", "text": ""})
                for piece in play.pieces(item["summary"][0]["text"]):
                    yield frame("response.reasoning_summary_text.delta", **place, summary_index=0, delta=piece)
                yield frame("response.reasoning_summary_text.done", **place, summary_index=0,
                            text=item["summary"][0]["text"])
                yield frame("response.reasoning_summary_part.done", **place, summary_index=0, part=item["summary"][0])
            elif item["type"] == "function_call":
                yield frame("response.output_item.added", output_index=index,
                            item={**item, "arguments": "", "status": "in_progress"})
                for piece in play.pieces(item["arguments"]):
                    yield frame("response.function_call_arguments.delta", **place, delta=piece)
                yield frame("response.function_call_arguments.done", **place, arguments=item["arguments"],
                            name=item["name"])
            else:
                part = item["content"][0]
                place["content_index"] = 0
                yield frame("response.output_item.added", output_index=index,
                            item={**item, "content": [], "status": "in_progress"})
                if part["type"] == "refusal":
                    yield frame("response.content_part.added", **place, part={"type": "refusal", "refusal": ""})
                    for piece in play.pieces(part["refusal"]):
                        yield frame("response.refusal.delta", **place, delta=piece)
                    yield frame("response.refusal.done", **place, refusal=part["refusal"])
                else:
                    yield frame("response.content_part.added", **place, part={**part, "text": ""})
                    for piece in play.pieces(part["text"]):
                        yield frame("response.output_text.delta", **place, delta=piece, logprobs=[])
                    yield frame("response.output_text.done", **place, text=part["text"], logprobs=[])
                yield frame("response.content_part.done", **place, part=part)
            yield frame("response.output_item.done", output_index=index, item=item)
        end = cls.end(play)
        yield frame(f"response.{end}", response=cls.response(play, request, items, end, cls.usage(play)))

    @classmethod
    def failure(cls, number):
        event = {"type": "error", "sequence_number": number, "code": "server_error",
                 "message": "The server had an error while processing your request. Sorry!", "param": None}
        return f"event: error\ndata: {text(event)}\n\n"


class Messages:
    name = "messages"
    check = staticmethod(strict.check_messages)
    stops = {"end": "end_turn", "sequence": "stop_sequence", "length": "max_tokens", "calls": "tool_use",
             "refusal": "refusal", "filtered": "refusal"}

    @staticmethod
    def is_allowed(request):
        # Both forms are Anthropic's; its SDK uses the second.
        return KEY in (request.headers.get("x-api-key"), request.headers.get("authorization", "")[7:])

    @staticmethod
    def error(status, message, param=None, code=None):
        kind = {
            400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
            422: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
        }.get(status, "api_error")
        details = {"details": {"error_code": code}} if code else {}
        return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_wire"}

    @classmethod
    def too_long(cls):
        return cls.error(400, "prompt is too long: 200011 tokens > 200000 maximum")

    @staticmethod
    def headers(seed):
        return [("request-id", f"req_{seed}"), ("anthropic-organization-id", "org_wire"),
                ("anthropic-ratelimit-requests-limit", "50"), ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2099-01-01T00:00:00Z")]

    @staticmethod
    def usage(play, output=None):
        usage = play.usage
        return {
            "input_tokens": usage.input - usage.cached - usage.written,
            "cache_creation_input_tokens": usage.written, "cache_read_input_tokens": usage.cached,
            "output_tokens": usage.output if output is None else output}

    @classmethod
    def message(cls, play, request, content, usage, stop=None):
        return {
            "model": request.json["model"], "id": f"msg_01{play.seed}", "type": "message", "role": "assistant",
            "content": content, "stop_reason": stop,
            "stop_sequence": (request.json.get("stop_sequences") or ["STOP"])[0] if stop == "stop_sequence" else None,
            "stop_details": {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None,
            "usage": {**usage, "service_tier": "standard", "inference_geo": "not_available"}}

    @staticmethod
    def blocks(play):
        for number, part in enumerate(play.parts):
            if isinstance(part, Thought):
                yield {"type": "thinking", "thinking": part.text, "signature": play.signature(number)}
            elif isinstance(part, Call):
                yield {"type": "tool_use", "id": f"toolu_{play.seed}_{number}", "name": part.name,
                       "input": part.arguments, "caller": {"type": "direct"}}
            else:
                yield {"type": "text", "text": part.text, "citations": None}

    @classmethod
    def details(cls, play):
        return {"output_tokens_details": {"thinking_tokens": play.usage.reasoning}} if play.usage.reasoning else {}

    @classmethod
    def whole(cls, play, request):
        return cls.message(play, request, list(cls.blocks(play)), {**cls.usage(play), **cls.details(play)},
                           cls.stops[play.stop])

    @classmethod
    def frames(cls, play, request):
        def frame(kind, **more):
            return f"event: {kind}\ndata: {text({'type': kind, **more})}\n\n"

        yield frame("message_start", message=cls.message(play, request, [], cls.usage(play, 1)))
        for index, block in enumerate(cls.blocks(play)):
            kind = block["type"]
            opened = {
                "thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}[kind]
            yield frame("content_block_start", index=index, content_block={**block, **opened})
            if index == 0:
                yield frame("ping")
            if kind == "tool_use":
                pieces = [{"type": "input_json_delta", "partial_json": piece}
                          for piece in ["", *(play.pieces(text(block["input"])) if block["input"] else [])]]
            elif kind == "thinking":
                pieces = [{"type": "thinking_delta", "thinking": piece} for piece in play.pieces(block["thinking"])]
                pieces.append({"type": "signature_delta", "signature": block["signature"]})
            else:
                pieces = [{"type": "text_delta", "text": piece} for piece in play.pieces(block["text"])]
            for piece in pieces:
                yield frame("content_block_delta", index=index, delta=piece)
            yield frame("content_block_stop", index=index)
        message = cls.message(play, request, [], {}, cls.stops[play.stop])
        yield frame(
            "message_delta", delta={name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")},
            usage={**cls.usage(play), **cls.details(play)})
        yield frame("message_stop")

    @classmethod
    def failure(cls, number):
        return f"event: error\ndata: {text(cls.error(529, 'Overloaded'))}\n\n"


class CountTokens(Messages):
    name = "countTokens"
    check = staticmethod(strict.check_count_tokens)

    @classmethod
    def whole(cls, play, request):
        return {"input_tokens": play.usage.input}


class Gemini:
    name = "gemini"
    stops = {"end": "STOP", "sequence": "STOP", "length": "MAX_TOKENS", "calls": "STOP", "refusal": "SAFETY",
             "filtered": "SAFETY"}

    @staticmethod
    def check(body, headers):
        raise NotImplementedError("the model stands in the path")

    @staticmethod
    def is_allowed(request):
        return request.headers.get("x-goog-api-key", request.query.get("key", "")) == KEY

    @staticmethod
    def error(status, message, param=None, code=None):
        name = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
                413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
                529: "UNAVAILABLE"}[status]
        error = {"code": status, "message": message, "status": name}
        if status == 429:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]
        return {"error": error}

    @classmethod
    def too_long(cls):
        return cls.error(400, "The input token count (1048587) exceeds the maximum number of tokens allowed (1048576).")

    @staticmethod
    def headers(seed):
        return [("server-timing", "gfet4t7; dur=12"), ("x-content-type-options", "nosniff")]

    @staticmethod
    def usage(play):
        usage = play.usage
        found = {
            "promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning,
            "totalTokenCount": usage.input + usage.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}]}
        if usage.cached:
            found["cachedContentTokenCount"] = usage.cached
        if usage.reasoning:
            found["thoughtsTokenCount"] = usage.reasoning
        return found

    @staticmethod
    def parts(play, number, part):
        if isinstance(part, Thought):
            return {"text": part.text, "thought": True}
        if isinstance(part, Call):
            is_first = not any(isinstance(other, Call) for other in play.parts[:number])
            call = {"functionCall": {"name": part.name, "args": part.arguments, "id": f"c{play.seed}-{number}"}}
            return {**call, "thoughtSignature": play.signature(number)} if is_first else call
        return {"text": part.text}

    @classmethod
    def answer(cls, play, request, parts, stop=None, usage=None):
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if stop:
            candidate["finishReason"] = stop
        return {
            "candidates": [candidate], **({"usageMetadata": usage} if usage else {}),
            "modelVersion": request.model, "responseId": f"R{play.seed}"}

    @classmethod
    def whole(cls, play, request):
        parts = [cls.parts(play, number, part) for number, part in enumerate(play.parts)
                 if not isinstance(part, Refusal)]
        return cls.answer(play, request, parts, cls.stops[play.stop], cls.usage(play))

    @classmethod
    def documents(cls, play, request):
        early = {name: count for name, count in cls.usage(play).items() if name.startswith("prompt")}
        for number, part in enumerate(play.parts):
            if isinstance(part, Refusal):
                continue
            if isinstance(part, Call):
                yield cls.answer(play, request, [cls.parts(play, number, part)], None, early)
                continue
            for piece in play.pieces(part.text):
                yield cls.answer(play, request, [{**cls.parts(play, number, part), "text": piece}], None, early)
        yield cls.answer(play, request, [{"text": ""}], cls.stops[play.stop], cls.usage(play))

    @classmethod
    def frames(cls, play, request):
        if request.query.get("alt") == "sse":
            for document in cls.documents(play, request):
                yield f"data: {json.dumps(document, ensure_ascii=False)}\r\n\r\n"
        else:
            for number, document in enumerate(cls.documents(play, request)):
                yield ("," if number else "[") + json.dumps(document, ensure_ascii=False, indent=2)
                yield "\r\n"
            yield "]"

    @classmethod
    def failure(cls, number):
        return f"data: {json.dumps(cls.error(503, 'The model is overloaded. Please try again later.'))}\r\n\r\n"


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        path, _, query = target.partition("?")
        self.target, self.path = target, urllib.parse.unquote(path)
        self.query = dict(urllib.parse.parse_qsl(query))
        self.play = asked(body)
        self.json = None
        self.model = None
        self.dialect = None
        #: The body of the answer, as far as it was sent.
        self.answered = b""
        #: Set when the caller hung up before the answer's end.
        self.hung_up = threading.Event()


PATHS = {
    "/v1/chat/completions": Chat, "/v1/completions": Completions, "/v1/embeddings": Embeddings,
    "/v1/responses": Responses, "/v1/messages": Messages, "/v1/messages/count_tokens": CountTokens,
}


class Providers:
    """All of them on one port; a thread for each connection."""

    def __init__(self, models=()):
        self.models, self.requests, self.lock = list(models), [], threading.Lock()
        #: Where the streams that `meet` wait for each other.
        self.meeting = threading.Barrier(1, timeout=30)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        # Closing alone does not end the wait of `accept`.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def last(self):
        with self.lock:
            return self.requests[-1]

    def of(self, seed):
        """The requests that asked for a play of this seed, oldest first."""
        with self.lock:
            return [request for request in self.requests if request.play.seed == seed]

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            while request := read_request(reader):
                with self.lock:
                    self.requests.append(request)
                try:
                    if not self.answer(connection, request):
                        return
                except OSError:
                    request.hung_up.set()
                    return

    def answer(self, connection, request):
        """Whether the connection can be used again."""
        if request.method == "GET":
            return self.list_models(connection, request)
        dialect, is_stream = self.dialect(request)
        if dialect is None:
            return send(connection, 404, [], text(Chat.error(404, f"Invalid URL (POST {request.path})")))
        request.dialect = dialect.name
        play = request.play
        if not dialect.is_allowed(request):
            return send(connection, 401, dialect.headers(0), text(dialect.error(401, "The API key is not valid.")))
        try:
            request.json = json.loads(request.body)
            if not strict.is_lenient(request.body):
                self.check(dialect, request)
        except strict.Refused as refused:
            error = dialect.error(refused.status, refused.message, refused.param, refused.code)
            return send(connection, refused.status, dialect.headers(play.seed), text(error))
        if request.model is None:
            request.model = request.json.get("model")
        is_elsewhere = play.name.startswith("only-") and play.name != f"only-{dialect.name}"
        status = 503 if is_elsewhere else play.status
        if status != 200:
            error = dialect.too_long() if play.fault == "too-long" else dialect.error(status, f"wire says {status}")
            return send(connection, status, [*dialect.headers(play.seed), *play.headers], text(error))
        if not (is_stream or request.json.get("stream") and dialect is not Gemini):
            body = text(dialect.whole(play, request))
            request.answered = (odd(body) if play.fault == "odd" else body).encode()
            return send(connection, 200, dialect.headers(play.seed), request.answered)
        return self.stream(connection, dialect, request)

    def dialect(self, request):
        head, colon, verb = request.path.rpartition(":")
        if colon and head.startswith(("/v1beta/models/", "/v1/models/")):
            request.model = head.rpartition("/")[2]
            if verb in ("generateContent", "streamGenerateContent"):
                return Gemini, verb == "streamGenerateContent"
        return PATHS.get(request.path), False

    def check(self, dialect, request):
        if dialect is Gemini:
            strict.check_gemini(request.json, request.model)
        else:
            dialect.check(request.json, request.headers)

    def stream(self, connection, dialect, request):
        play = request.play
        is_array = dialect is Gemini and request.query.get("alt") != "sse"
        kind = "application/json; charset=UTF-8" if is_array else "text/event-stream; charset=utf-8"
        head = [("content-type", kind), ("transfer-encoding", "chunked"), ("cache-control", "no-cache"),
                *dialect.headers(play.seed)]
        connection.sendall(head_bytes(200, head))
        if play.fault == "empty":
            connection.sendall(b"0\r\n\r\n")
            return True
        frames = dialect.frames(play, request)
        if play.after is not None:
            frames = [frame for _, frame in zip(range(play.after), frames)]
        if play.pace:
            for frame in frames:
                connection.sendall(chunk(frame.encode()))
                time.sleep(play.pace)
        else:
            frames = [odd(frame) if play.fault == "odd" else frame for frame in frames]
            request.answered = "".join(frames).encode()
            pieces = list(cut(request.answered, play.seed))
            for number, piece in enumerate(pieces):
                if play.fault == "meet" and number == len(pieces) // 2:
                    self.meeting.wait()
                connection.sendall(chunk(piece))
        if play.after:
            # So that what came before has gone out at the other side.
            time.sleep(0.1)
        if play.fault == "error":
            failure = dialect.failure(play.after)
            failure = "," + failure.removeprefix("data: ").strip() + "]" if is_array else failure
            connection.sendall(chunk(failure.encode()))
        if play.fault == "cut":
            connection.shutdown(socket.SHUT_RDWR)
            return False
        connection.sendall(b"0\r\n\r\n")
        return True

    def list_models(self, connection, request):
        if request.path == "/v1beta/models":
            body = {"models": [
                {"name": f"models/{name}", "version": "001", "displayName": name, "inputTokenLimit": 1048576,
                 "outputTokenLimit": 65536, "supportedGenerationMethods": ["generateContent", "countTokens"]}
                for name in self.models]}
            dialect = Gemini
        elif request.path == "/v1/models" and "anthropic-version" in request.headers:
            body = {"data": [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
                             for name in self.models],
                    "has_more": False, "first_id": self.models[:1], "last_id": self.models[-1:]}
            dialect = Messages
        elif request.path == "/v1/models":
            body = {"object": "list", "data": [
                {"id": name, "object": "model", "created": CREATED, "owned_by": "wire"} for name in self.models]}
            dialect = Chat
        else:
            return send(connection, 404, [], text(Chat.error(404, "no such page")))
        if not dialect.is_allowed(request):
            return send(connection, 401, [], text(dialect.error(401, "The API key is not valid.")))
        return send(connection, 200, dialect.headers(0), text(body))


def read_request(reader):
    """None: the caller closed the connection."""
    line = reader.readline().decode("latin-1")
    if not line.strip():
        return None
    method, target, _ = line.split()
    headers = {}
    while (line := reader.readline().decode("latin-1").strip()):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while length := int(reader.readline(), 16):
            body += reader.read(length)
            reader.readline()
        reader.readline()
    else:
        body = reader.read(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def head_bytes(status, headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode()


def odd(body):
    """The same document in a form that passes only if nobody reads and writes it anew."""
    return body.replace("{", '{"x_odd" : [1e5,-0.0, 9007199254740993,1E-7,"\\u00e9\\/\\ud83d\\ude82"] ,\t', 1)


def send(connection, status, headers, body):
    data = body if isinstance(body, bytes) else body.encode()
    given = [("content-type", "application/json"), ("content-length", str(len(data))), *headers]
    connection.sendall(head_bytes(status, given) + data)
    return True


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def cut(data, seed):
    """`data` in chunks whose borders the seed decides, wherever they fall."""
    chance = random.Random(seed)
    start = 0
    while start < len(data):
        end = start + chance.randint(1, 900)
        yield data[start:end]
        start = end


def images(request):
    """The bytes of every image that a request carries, whatever its protocol calls them."""
    found = []

    def look(value):
        if isinstance(value, list):
            for item in value:
                look(item)
        elif isinstance(value, dict):
            data = value.get("data")
            if isinstance(data, str) and ("mimeType" in value or "mime_type" in value or "media_type" in value):
                found.append(base64.b64decode(data.replace("-", "+").replace("_", "/")))
            for item in value.values():
                look(item)
        elif isinstance(value, str) and value.startswith("data:image/"):
            found.append(base64.b64decode(value.partition(",")[2]))

    look(request.json)
    return found
