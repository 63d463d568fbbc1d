"""The official SDKs, each behind the same few methods, so that one case can be asked of all of them.

A history is in the SDK's own form: an answer goes back as the SDK gave it, which is what applications do.
"""

import asyncio
import base64
import inspect
import json
from dataclasses import dataclass, field

try:
    import openai
except ImportError:
    openai = None
try:
    import anthropic
except ImportError:
    anthropic = None
try:
    from google import genai
    from google.genai import errors as google_errors
    from google.genai import types
except ImportError:
    genai = None

#: JSON Schema as people write it, with what only some providers take.
TOOLS = {
    "get_weather": ("The weather of a city", {
        "type": "object", "additionalProperties": False, "required": ["city"],
        "properties": {
            "city": {"type": "string", "description": "Where"}, "days": {"type": "integer", "minimum": 1},
            "deep": {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "number"}}}}}}),
    "get_time": ("The time of a zone", {"type": "object", "properties": {"zone": {"type": "string"}}}),
}
SCHEMA = {
    "type": "object", "required": ["city", "days"], "additionalProperties": False,
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
LIMIT = 5000


@dataclass
class Wish:
    """What is asked for beside the history."""

    model: str
    system: str = ""
    tools: tuple = ()
    #: `auto`, `none`, `any`, or a tool's name.
    choice: str = ""
    #: No more than one call in an answer.
    single: bool = False
    stop: tuple = ()
    limit: int | None = LIMIT
    temperature: float | None = None
    top_p: float | None = None
    thinking: bool = False
    schema: bool = False
    #: The client's own name of the request.
    identity: str = ""


@dataclass
class Got:
    """An answer in no protocol's words."""

    text: str = ""
    thoughts: str = ""
    refusal: str = ""
    #: `(id, name, arguments)`.
    calls: list = field(default_factory=list)
    stop: str = ""
    model: str = ""
    #: `input`, `cached`, `output`, `reasoning`, as far as the protocol has them.
    usage: dict = field(default_factory=dict)
    request_id: str = ""
    #: What goes back into the history.
    raw: object = None


def address(image):
    return "data:image/png;base64," + base64.b64encode(image).decode()


def own_id(wish):
    return {"extra_headers": {"x-request-id": wish.identity}} if wish.identity else {}


class Chat:
    dialect = "chat"
    sdk = openai
    #: A play's reason to stop, as this SDK's user sees it.
    stops = {"end": "stop", "sequence": "stop", "length": "length", "calls": "tool_calls", "filtered": "content_filter"}
    header = "x-request-id"

    def __init__(self, origin, key, **more):
        self.client = openai.OpenAI(
            base_url=origin + "/v1", api_key=key, max_retries=0, timeout=30, _strict_response_validation=True, **more)

    def close(self):
        self.client.close()

    def user(self, text, *images):
        if not images:
            return [{"role": "user", "content": text}]
        return [{"role": "user", "content": [
            {"type": "text", "text": text},
            *({"type": "image_url", "image_url": {"url": address(image)}} for image in images)]}]

    def follow(self, got, results):
        return [got.raw, *(
            {"role": "tool", "tool_call_id": identity, "content": text} for identity, _, text in results)]

    def settings(self, wish):
        more = {"model": wish.model, **own_id(wish)}
        if wish.limit:
            more["max_completion_tokens"] = wish.limit
        if wish.tools:
            more["tools"] = [
                {"type": "function", "function": {
                    "name": name, "description": TOOLS[name][0], "parameters": TOOLS[name][1]}}
                for name in wish.tools]
        if wish.choice in TOOLS:
            more["tool_choice"] = {"type": "function", "function": {"name": wish.choice}}
        elif wish.choice:
            more["tool_choice"] = {"any": "required"}.get(wish.choice, wish.choice)
        if wish.single:
            more["parallel_tool_calls"] = False
        if wish.stop:
            more["stop"] = list(wish.stop)
        if wish.temperature is not None:
            more["temperature"] = wish.temperature
        if wish.top_p is not None:
            more["top_p"] = wish.top_p
        if wish.thinking:
            more["reasoning_effort"] = "low"
        if wish.schema:
            more["response_format"] = {"type": "json_schema", "json_schema": {
                "name": "place", "schema": SCHEMA, "strict": True}}
        return more

    def messages(self, wish, history):
        return [*([{"role": "system", "content": wish.system}] if wish.system else []), *history]

    def ask(self, wish, history):
        raw = self.client.chat.completions.with_raw_response.create(
            messages=self.messages(wish, history), **self.settings(wish))
        answer = raw.parse()
        assert answer.object == "chat.completion" and len(answer.choices) == 1
        return self.got(answer, raw.headers)

    def stream(self, wish, history):
        with self.client.chat.completions.stream(
            messages=self.messages(wish, history), stream_options={"include_usage": True}, **self.settings(wish),
        ) as stream:
            for _ in stream:
                pass
            try:
                answer = stream.get_final_completion()
            except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as ended:
                answer = ended.completion
            return self.got(answer, stream._response.headers)

    def events(self, wish, history):
        """The protocol's own events, as they come."""
        return self.client.chat.completions.create(
            messages=self.messages(wish, history), stream=True, stream_options={"include_usage": True},
            **self.settings(wish))

    def text_of(self, event):
        return event.choices[0].delta.content or "" if event.choices else ""

    def got(self, answer, headers):
        choice = answer.choices[0]
        message = choice.message
        usage = answer.usage
        raw = message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in raw.get("tool_calls") or []:
            call["function"].pop("parsed_arguments", None)
        return Got(
            text=message.content or "", thoughts=(message.model_extra or {}).get("reasoning_content") or "",
            refusal=message.refusal or "",
            calls=[(call.id, call.function.name, json.loads(call.function.arguments))
                   for call in message.tool_calls or []],
            stop=choice.finish_reason, model=answer.model, raw=raw, request_id=headers.get(self.header),
            usage=usage and {
                "input": usage.prompt_tokens, "output": usage.completion_tokens,
                "cached": usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0,
                "reasoning": usage.completion_tokens_details.reasoning_tokens
                if usage.completion_tokens_details else 0})

    def check_events(self, events):
        """What OpenAI promises of a stream's chunks."""
        assert len({(event.id, event.created, event.model) for event in events}) == 1, "one id for all"
        assert events[0].choices[0].delta.role == "assistant", "the role comes first"
        assert all(event.choices[0].delta.role in (None, "assistant") for event in events if event.choices)
        ends = [event.choices[0].finish_reason for event in events if event.choices]
        assert sum(end is not None for end in ends) == 1 and ends[-1] is not None, "one end, at the end"
        assert events[-1].choices == [] and events[-1].usage, "usage comes last"
        assert all(event.usage is None for event in events[:-1])

    def failed(self, status):
        return status_class(openai, status)

    broken = (openai.APIError,) if openai else ()


class Responses(Chat):
    dialect = "responses"
    stops = {"end": "completed", "sequence": "completed", "length": "incomplete/max_output_tokens",
             "calls": "completed", "filtered": "incomplete/content_filter"}

    def user(self, text, *images):
        if not images:
            return [{"role": "user", "content": text}]
        return [{"role": "user", "content": [
            {"type": "input_text", "text": text},
            *({"type": "input_image", "image_url": address(image), "detail": "auto"} for image in images)]}]

    def follow(self, got, results):
        return [*got.raw, *(
            {"type": "function_call_output", "call_id": identity, "output": text} for identity, _, text in results)]

    def settings(self, wish):
        more = {"model": wish.model, "store": False, **own_id(wish)}
        if wish.limit:
            more["max_output_tokens"] = wish.limit
        if wish.system:
            more["instructions"] = wish.system
        if wish.tools:
            more["tools"] = [
                {"type": "function", "name": name, "description": TOOLS[name][0], "parameters": TOOLS[name][1],
                 "strict": False} for name in wish.tools]
        if wish.choice in TOOLS:
            more["tool_choice"] = {"type": "function", "name": wish.choice}
        elif wish.choice:
            more["tool_choice"] = {"any": "required"}.get(wish.choice, wish.choice)
        if wish.single:
            more["parallel_tool_calls"] = False
        if wish.temperature is not None:
            more["temperature"] = wish.temperature
        if wish.top_p is not None:
            more["top_p"] = wish.top_p
        if wish.thinking:
            more["reasoning"] = {"effort": "low", "summary": "auto"}
            more["include"] = ["reasoning.encrypted_content"]
        if wish.schema:
            more["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
        return more

    def ask(self, wish, history):
        raw = self.client.responses.with_raw_response.create(input=history, **self.settings(wish))
        answer = raw.parse()
        assert answer.object == "response"
        return self.got(answer, raw.headers)

    def stream(self, wish, history):
        with self.client.responses.stream(input=history, **self.settings(wish)) as stream:
            last = None
            for event in stream:
                last = event
            # The helper knows a final response only where it is complete.
            return self.got(last.response, stream._response.headers)

    def events(self, wish, history):
        return self.client.responses.create(input=history, stream=True, **self.settings(wish))

    def raw_events(self, wish, history):
        """The data of a stream's events as they are, also behind what the SDK raises for."""
        with self.client.responses.with_streaming_response.create(
            input=history, stream=True, **self.settings(wish)) as raw:
            lines = raw.read().decode().split("\n")
        named = [line[7:] for line in lines if line.startswith("event: ")]
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert named == [event["type"] for event in events]
        return events

    def checked_failure(self, event):
        """A `response.failed` that has all that the SDK's types demand."""
        return openai.types.responses.ResponseFailedEvent.model_validate(event)

    def text_of(self, event):
        return event.delta if event.type == "response.output_text.delta" else ""

    def got(self, answer, headers):
        found = Got(
            stop=answer.status, model=answer.model, request_id=headers.get(self.header),
            raw=[item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output])
        for item in found.raw:
            for part in item.get("content") or []:
                part.pop("parsed", None)
        if answer.incomplete_details:
            found.stop += "/" + answer.incomplete_details.reason
        for item in answer.output:
            if item.type == "message":
                for part in item.content:
                    if part.type == "refusal":
                        found.refusal += part.refusal
                    else:
                        found.text += part.text
            elif item.type == "reasoning":
                found.thoughts += "".join(part.text for part in item.summary)
            elif item.type == "function_call":
                found.calls.append((item.call_id, item.name, json.loads(item.arguments)))
        if answer.usage:
            usage = answer.usage
            assert usage.total_tokens == usage.input_tokens + usage.output_tokens
            found.usage = {
                "input": usage.input_tokens, "cached": usage.input_tokens_details.cached_tokens,
                "output": usage.output_tokens, "reasoning": usage.output_tokens_details.reasoning_tokens}
        return found

    def check_events(self, events):
        assert [event.sequence_number for event in events] == list(range(len(events)))
        kinds = [event.type for event in events]
        assert kinds[:2] == ["response.created", "response.in_progress"], kinds[:3]
        assert kinds[-1] in ("response.completed", "response.incomplete"), kinds[-1]
        assert sum(kind in ("response.completed", "response.incomplete", "response.failed") for kind in kinds) == 1
        opened = {}
        for event in events:
            if event.type == "response.output_item.added":
                assert event.output_index == len(opened), "numbered in order"
                opened[event.output_index] = event.item.id
            elif event.type == "response.output_item.done":
                assert opened[event.output_index] == event.item.id
            elif hasattr(event, "item_id"):
                assert opened[event.output_index] == event.item_id, "one id from added to done"
        final = events[-1].response
        assert [item.id for item in final.output] == list(opened.values()), "the end repeats the items"


class Messages:
    dialect = "messages"
    sdk = anthropic
    stops = {"end": "end_turn", "sequence": "stop_sequence", "length": "max_tokens", "calls": "tool_use",
             "filtered": "refusal"}
    header = "request-id"

    def __init__(self, origin, key, **more):
        self.client = anthropic.Anthropic(
            base_url=origin, api_key=key, max_retries=0, timeout=30, _strict_response_validation=True, **more)

    def close(self):
        self.client.close()

    def user(self, text, *images):
        if not images:
            return [{"role": "user", "content": text}]
        return [{"role": "user", "content": [
            *({"type": "image", "source": {
                "type": "base64", "media_type": "image/png", "data": base64.b64encode(image).decode()}}
              for image in images),
            {"type": "text", "text": text}]}]

    def follow(self, got, results):
        return [{"role": "assistant", "content": got.raw}, {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": identity, "content": text} for identity, _, text in results]}]

    def settings(self, wish):
        more = {"model": wish.model, "max_tokens": wish.limit or LIMIT, **own_id(wish)}
        if wish.system:
            more["system"] = wish.system
        if wish.tools:
            more["tools"] = [
                {"name": name, "description": TOOLS[name][0], "input_schema": TOOLS[name][1]} for name in wish.tools]
        if wish.choice in TOOLS:
            more["tool_choice"] = {"type": "tool", "name": wish.choice}
        elif wish.choice or wish.single:
            more["tool_choice"] = {"type": wish.choice or "auto"}
        if wish.single:
            more["tool_choice"]["disable_parallel_tool_use"] = True
        if wish.stop:
            more["stop_sequences"] = list(wish.stop)
        # Still Anthropic's, but no longer its SDK's.
        body = {"temperature": wish.temperature, "top_p": wish.top_p}
        if body := {name: value for name, value in body.items() if value is not None}:
            more["extra_body"] = body
        if wish.thinking:
            more["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if wish.schema:
            more["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        return more

    def ask(self, wish, history):
        raw = self.client.messages.with_raw_response.create(messages=history, **self.settings(wish))
        answer = raw.parse()
        assert answer.type == "message" and answer.role == "assistant"
        return self.got(answer, raw.headers)

    def stream(self, wish, history):
        with self.client.messages.stream(messages=history, **self.settings(wish)) as stream:
            for _ in stream:
                pass
            return self.got(stream.get_final_message(), stream.response.headers)

    def events(self, wish, history):
        return self.client.messages.create(messages=history, stream=True, **self.settings(wish))

    def text_of(self, event):
        return event.delta.text if event.type == "content_block_delta" and event.delta.type == "text_delta" else ""

    def got(self, answer, headers):
        usage = answer.usage
        details = usage.output_tokens_details
        found = Got(
            stop=answer.stop_reason, model=answer.model, request_id=headers.get(self.header),
            raw=[block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in answer.content],
            usage={
                "input": usage.input_tokens + (usage.cache_read_input_tokens or 0)
                + (usage.cache_creation_input_tokens or 0),
                "cached": usage.cache_read_input_tokens or 0, "output": usage.output_tokens,
                "reasoning": details.thinking_tokens if details else 0})
        for block in found.raw:
            # As Anthropic's own examples say: what only an answer has is not sent back.
            block.pop("caller", None)
        for block in answer.content:
            if block.type == "text":
                found.text += block.text
            elif block.type == "thinking":
                found.thoughts += block.thinking
            elif block.type == "tool_use":
                found.calls.append((block.id, block.name, block.input))
        if found.stop == "refusal":
            found.refusal = found.text
        return found

    def check_events(self, events):
        kinds = [event.type for event in events]
        assert kinds[0] == "message_start" and kinds.count("message_start") == 1
        assert events[0].message.content == [] and events[0].message.stop_reason is None
        assert kinds[-2:] == ["message_delta", "message_stop"], kinds[-3:]
        assert kinds.count("message_delta") == 1
        open_index, count = None, 0
        for event in events[1:-2]:
            if event.type == "content_block_start":
                assert open_index is None and event.index == count, "blocks follow each other"
                open_index, count = event.index, count + 1
            elif event.type == "content_block_delta":
                assert event.index == open_index
            elif event.type == "content_block_stop":
                assert event.index == open_index
                open_index = None
        assert open_index is None

    def failed(self, status):
        return status_class(anthropic, status)

    broken = (anthropic.APIError,) if anthropic else ()


class Gemini:
    dialect = "gemini"
    sdk = genai
    stops = {"end": "STOP", "sequence": "STOP", "length": "MAX_TOKENS", "calls": "STOP", "filtered": "SAFETY"}
    header = "x-request-id"

    def __init__(self, origin, key, **more):
        self.client = genai.Client(
            api_key=key, vertexai=False, http_options=types.HttpOptions(base_url=origin, timeout=30_000, **more))

    def close(self):
        self.client.close()

    def user(self, text, *images):
        return [types.Content(role="user", parts=[
            *(types.Part.from_bytes(data=image, mime_type="image/png") for image in images),
            types.Part.from_text(text=text)])]

    def follow(self, got, results):
        return [got.raw, types.Content(role="user", parts=[
            types.Part(function_response=types.FunctionResponse(id=identity, name=name, response={"result": text}))
            for identity, name, text in results])]

    def settings(self, wish):
        more = {"automatic_function_calling": {"disable": True}}
        if wish.identity:
            more["http_options"] = {"headers": {"x-request-id": wish.identity}}
        if wish.limit:
            more["max_output_tokens"] = wish.limit
        if wish.system:
            more["system_instruction"] = wish.system
        if wish.tools:
            more["tools"] = [{"function_declarations": [
                {"name": name, "description": TOOLS[name][0], "parameters_json_schema": TOOLS[name][1]}
                for name in wish.tools]}]
        if wish.choice:
            mode = {"auto": "AUTO", "none": "NONE"}.get(wish.choice, "ANY")
            names = {"allowed_function_names": [wish.choice]} if wish.choice in TOOLS else {}
            more["tool_config"] = {"function_calling_config": {"mode": mode, **names}}
        if wish.stop:
            more["stop_sequences"] = list(wish.stop)
        if wish.temperature is not None:
            more["temperature"] = wish.temperature
        if wish.top_p is not None:
            more["top_p"] = wish.top_p
        if wish.thinking:
            more["thinking_config"] = {"include_thoughts": True, "thinking_budget": 1024}
        if wish.schema:
            more["response_mime_type"] = "application/json"
            more["response_json_schema"] = SCHEMA
        return types.GenerateContentConfig(**more)

    def ask(self, wish, history):
        answer = self.client.models.generate_content(
            model=wish.model, contents=history, config=self.settings(wish))
        return self.got([answer])

    def stream(self, wish, history):
        return self.got(list(self.events(wish, history)))

    def events(self, wish, history):
        return self.client.models.generate_content_stream(
            model=wish.model, contents=history, config=self.settings(wish))

    def text_of(self, event):
        parts = event.candidates[0].content.parts if event.candidates and event.candidates[0].content else None
        return "".join(part.text or "" for part in parts or [] if not part.thought)

    def got(self, answers):
        headers = {name.lower(): value for name, value in answers[0].sdk_http_response.headers.items()}
        found = Got(model=answers[-1].model_version, request_id=headers.get(self.header))
        parts = []
        for answer in answers:
            for candidate in answer.candidates or []:
                parts += candidate.content.parts or [] if candidate.content else []
                found.stop = candidate.finish_reason.value if candidate.finish_reason else found.stop
            if answer.usage_metadata:
                usage = answer.usage_metadata
                thoughts = usage.thoughts_token_count or 0
                found.usage = {
                    "input": usage.prompt_token_count, "cached": usage.cached_content_token_count or 0,
                    "output": (usage.candidates_token_count or 0) + thoughts, "reasoning": thoughts}
        for part in parts:
            if part.function_call:
                found.calls.append((part.function_call.id, part.function_call.name, part.function_call.args))
            elif part.text and part.thought:
                found.thoughts += part.text
            elif part.text:
                found.text += part.text
        found.raw = types.Content(role="model", parts=parts)
        return found

    def check_events(self, events):
        ends = [event.candidates[0].finish_reason for event in events if event.candidates]
        assert ends[-1] is not None and all(end is None for end in ends[:-1]), ends
        assert len({event.response_id for event in events}) == 1
        assert len({event.model_version for event in events}) == 1
        assert events[-1].usage_metadata.total_token_count

    def failed(self, status):
        return google_errors.ServerError if status >= 500 else google_errors.ClientError

    broken = (google_errors.APIError,) if genai else ()


def status_class(sdk, status):
    """The exception that an SDK of this maker raises for a status."""
    found = {
        400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
        409: "ConflictError", 413: "RequestTooLargeError", 422: "UnprocessableEntityError", 429: "RateLimitError",
        503: "ServiceUnavailableError", 504: "DeadlineExceededError", 529: "OverloadedError",
    }.get(status)
    default = sdk.InternalServerError if status >= 500 else sdk.APIStatusError
    exceptions = getattr(sdk, "_exceptions", sdk)
    return getattr(sdk, found or "", None) or getattr(exceptions, found or "", None) or default


CLIENTS = {sort.dialect: sort for sort in (Chat, Responses, Messages, Gemini)}


class AsyncChat(Chat):
    """The same through the maker's `async` client; each call is run to its end."""

    def __init__(self, origin, key, **more):
        self.loop = asyncio.new_event_loop()
        self.client = openai.AsyncOpenAI(
            base_url=origin + "/v1", api_key=key, max_retries=0, timeout=30, _strict_response_validation=True, **more)

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()

    def ask(self, wish, history):
        return self.loop.run_until_complete(self.asked(wish, history))

    def stream(self, wish, history):
        return self.loop.run_until_complete(self.streamed(wish, history))

    def events(self, wish, history):
        return iter(self.loop.run_until_complete(self.all_events(wish, history)))

    async def asked(self, wish, history):
        raw = await self.client.chat.completions.with_raw_response.create(
            messages=self.messages(wish, history), **self.settings(wish))
        return self.got(raw.parse(), raw.headers)

    async def streamed(self, wish, history):
        async with self.client.chat.completions.stream(
            messages=self.messages(wish, history), stream_options={"include_usage": True}, **self.settings(wish),
        ) as stream:
            async for _ in stream:
                pass
            try:
                answer = await stream.get_final_completion()
            except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as ended:
                answer = ended.completion
            return self.got(answer, stream._response.headers)

    async def all_events(self, wish, history):
        return [event async for event in await Chat.events(self, wish, history)]


class AsyncResponses(AsyncChat, Responses):
    async def asked(self, wish, history):
        raw = await self.client.responses.with_raw_response.create(input=history, **self.settings(wish))
        return self.got(raw.parse(), raw.headers)

    async def streamed(self, wish, history):
        async with self.client.responses.stream(input=history, **self.settings(wish)) as stream:
            last = None
            async for event in stream:
                last = event
            return self.got(last.response, stream._response.headers)

    async def all_events(self, wish, history):
        return [event async for event in await Responses.events(self, wish, history)]


class AsyncMessages(Messages):
    ask, stream, events, close = AsyncChat.ask, AsyncChat.stream, AsyncChat.events, AsyncChat.close

    def __init__(self, origin, key, **more):
        self.loop = asyncio.new_event_loop()
        self.client = anthropic.AsyncAnthropic(
            base_url=origin, api_key=key, max_retries=0, timeout=30, _strict_response_validation=True, **more)

    async def asked(self, wish, history):
        raw = await self.client.messages.with_raw_response.create(messages=history, **self.settings(wish))
        answer = raw.parse()
        return self.got(await answer if inspect.isawaitable(answer) else answer, raw.headers)

    async def streamed(self, wish, history):
        async with self.client.messages.stream(messages=history, **self.settings(wish)) as stream:
            async for _ in stream:
                pass
            return self.got(await stream.get_final_message(), stream.response.headers)

    async def all_events(self, wish, history):
        return [event async for event in await Messages.events(self, wish, history)]


class AsyncGemini(Gemini):
    ask, stream, events = AsyncChat.ask, AsyncChat.stream, AsyncChat.events

    def __init__(self, origin, key, **more):
        self.loop = asyncio.new_event_loop()
        super().__init__(origin, key, **more)

    def close(self):
        self.loop.run_until_complete(self.client.aio.aclose())
        super().close()
        self.loop.close()

    async def asked(self, wish, history):
        answer = await self.client.aio.models.generate_content(
            model=wish.model, contents=history, config=self.settings(wish))
        return self.got([answer])

    async def streamed(self, wish, history):
        return self.got(await self.all_events(wish, history))

    async def all_events(self, wish, history):
        return [event async for event in await self.client.aio.models.generate_content_stream(
            model=wish.model, contents=history, config=self.settings(wish))]


ASYNC_CLIENTS = {sort.dialect: sort for sort in (AsyncChat, AsyncResponses, AsyncMessages, AsyncGemini)}


def status_of(error):
    """The HTTP status that an SDK's exception tells."""
    return getattr(error, "status_code", None) or getattr(error, "code", None)
