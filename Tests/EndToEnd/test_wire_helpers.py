"""What the SDKs build upon their protocols: structured answers, runners of tools, chats, lists of models."""

import unittest

import wire_plays as plays
from support import CLIENT_KEY
from wire import SIDES, CellCase, Wire, cells
from wire_clients import CLIENTS, anthropic, genai, openai, types

try:
    import pydantic
except ImportError:
    pydantic = None
else:
    class Place(pydantic.BaseModel):
        """What the play `json` answers."""

        city: str
        days: int


def setUpModule():
    CellCase.wire = Wire()


def tearDownModule():
    CellCase.wire.close()


class Helpers:
    def test_a_structured_answer(self):
        client, model, prompt = self.sdk.client, self.models[0], self.prompt("json")
        if self.client == "chat":
            made = client.chat.completions.parse(model=model, messages=prompt, response_format=Place)
            self.assertEqual(made.choices[0].message.parsed, Place(city="Zürich", days=3))
            with client.chat.completions.stream(model=model, messages=prompt, response_format=Place) as stream:
                parsed = stream.get_final_completion().choices[0].message.parsed
        elif self.client == "responses":
            made = client.responses.parse(model=model, input=prompt, text_format=Place)
            self.assertEqual(made.output_parsed, Place(city="Zürich", days=3))
            with client.responses.stream(model=model, input=prompt, text_format=Place) as stream:
                parsed = stream.get_final_response().output_parsed
        elif self.client == "messages":
            made = client.messages.parse(model=model, max_tokens=999, messages=prompt, output_format=Place)
            self.assertEqual(made.parsed_output, Place(city="Zürich", days=3))
            with client.messages.stream(model=model, max_tokens=999, messages=prompt, output_format=Place) as stream:
                parsed = stream.get_final_message().parsed_output
        else:
            parsed = client.models.generate_content(
                model=model, contents=prompt, config=types.GenerateContentConfig(
                    response_mime_type="application/json", response_schema=Place)).parsed
        self.assertEqual(parsed, Place(city="Zürich", days=3))
        asked = str(self.asked().json)
        self.assertIn("'city'", asked, "the schema reached the provider")

    def test_tools_that_the_sdk_runs_itself(self):
        client, model = self.sdk.client, self.models[0]
        called = []

        def get_weather(city: str, days: int, deep: dict) -> str:
            """The weather of a city.

            Args:
                city: Where.
                days: For how long.
                deep: Anything.
            """
            called.append((city, days, deep))
            return plays.mark("plain", self.seed)

        if self.client == "messages":
            runner = client.beta.messages.tool_runner(
                model=model, max_tokens=999, messages=self.prompt("call"), tools=[anthropic.beta_tool(get_weather)])
            text = "".join(block.text for block in runner.until_done().content if block.type == "text")
        elif self.client == "gemini":
            chat = client.chats.create(model=model, config=types.GenerateContentConfig(tools=[get_weather]))
            text = chat.send_message(f"Go. {plays.mark('call', self.seed)}").text
            self.assertEqual(len(chat.get_history()), 4)
        else:
            return  # has none
        self.assertEqual(text, plays.TEXT)
        self.assertEqual([(city, days) for city, days, _ in called], [("Zürich 🏔", 3)])

    def test_a_chat_of_several_turns(self):
        if self.client == "gemini":
            chat = self.sdk.client.chats.create(model=self.models[0])
            for _ in range(2):
                self.assertEqual(chat.send_message(f"Go. {plays.mark('plain', self.seed)}").text, plays.TEXT)
                said = "".join(
                    part.text or "" for part in chat.send_message_stream(f"Go. {plays.mark('plain', self.seed)}"))
                self.assertEqual(said, plays.TEXT)
            return
        history = self.prompt("plain")
        for how in ("ask", "stream", "ask"):
            got = getattr(self.sdk, how)(self.wish(), history)
            self.assertEqual(got.text, plays.TEXT)
            history = [*history, *self.sdk.follow(got, []), *self.prompt("plain")]
            history = [turn for turn in history if turn.get("content") != []]

    def test_the_beta_paths(self):
        if self.client != "messages":
            return
        with self.sdk.client.beta.messages.stream(
            model=self.models[0], max_tokens=999, messages=self.prompt("plain"), betas=["context-1m-2025-08-07"],
        ) as stream:
            self.assertEqual("".join(stream.text_stream), plays.TEXT)
            self.assertEqual(stream.get_final_message().stop_reason, "end_turn")


class ModelTests(unittest.TestCase):
    """Each SDK's list of models, of all providers, in its own form."""

    NAMES = sorted(f"{provider}/{name}" for provider, (_, names) in SIDES.items() for name in names)

    def sdk(self, client):
        if CLIENTS[client].sdk is None:
            raise unittest.SkipTest(f"the SDK of {client} is not installed (pip could not reach an index)")
        sdk = CLIENTS[client](CellCase.wire.origin, CLIENT_KEY)
        self.addCleanup(sdk.close)
        return sdk.client

    def test_openai(self):
        client = self.sdk("chat")
        found = list(client.models.list())
        self.assertLessEqual(set(self.NAMES), {model.id for model in found})
        for model in found:
            self.assertEqual(client.models.retrieve(model.id), model)
        with self.assertRaises(openai.NotFoundError) as caught:
            client.models.retrieve("no/such")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_anthropic(self):
        client = self.sdk("messages")
        found = list(client.models.list(limit=2))
        names = [model.id for model in found]
        self.assertEqual(len(names), len(set(names)), "pages do not repeat")
        self.assertLessEqual(set(self.NAMES), set(names))
        self.assertEqual([model.id for model in client.models.list(limit=1000)], names)
        for model in found:
            self.assertTrue(model.type == "model" and model.display_name)
            self.assertEqual(client.models.retrieve(model.id), model)
        with self.assertRaises(anthropic.NotFoundError) as caught:
            client.models.retrieve("no/such")
        self.assertEqual(caught.exception.response.json()["error"]["type"], "not_found_error")

    def test_google(self):
        client = self.sdk("gemini")
        found = list(client.models.list(config={"page_size": 2}))
        names = [model.name.removeprefix("models/") for model in found]
        self.assertEqual(len(names), len(set(names)), "pages do not repeat")
        self.assertLessEqual(set(self.NAMES), set(names))
        for model in found:
            self.assertIn("generateContent", model.supported_actions)
            self.assertEqual(client.models.get(model=model.name).name, model.name)
        with self.assertRaises(genai.errors.ClientError) as caught:
            client.models.get(model="no/such")
        self.assertEqual((caught.exception.code, caught.exception.status), (404, "NOT_FOUND"))


if pydantic:
    globals().update(cells(Helpers, __name__, has_direct=False))
