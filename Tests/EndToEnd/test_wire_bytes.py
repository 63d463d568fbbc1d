"""Where client and provider speak the same protocol, bytes pass as they are: no SDK here, it would tidy them up."""

import json
import unittest

import wire_plays as plays
from support import CLIENT_KEY, exchange
from wire import Wire

#: Of every body: spaces, escapes and numbers that a library would write in another way, and a field that nobody knows.
ODD = (
    '"x_unknown" :\t{ "b":[1e5,-0.0,1E-7, 9007199254740993,0.30000000000000004], "a" : "\\u00e9\\/\\ud83d\\ude82" },'
    '\r\n "x_empty":{ } , ')
#: Dialect: the provider, the path, its own fields, whether it streams by a field.
TABLE = {
    "chat": ("openai", "/v1/chat/completions",
             '"messages" : [ {"content":"na\u00efve \\u00e9 %s","role":"user"} ], "seed": 9007199254740993', True),
    "completions": ("openai", "/v1/completions", '"prompt":"%s", "logit_bias":{"50256":-100}', True),
    "embeddings": ("openai", "/v1/embeddings", '"input" : ["%s"]', False),
    "responses": ("openai", "/v1/responses", '"input":[ {"role":"user" ,"content":"%s"}], "store" : false', True),
    "messages": ("anthropic", "/v1/messages",
                 '"messages":[{"role":"user","content":[ {"text":"%s" ,"type":"text"}]}], "max_tokens" : 100', True),
    "countTokens": ("anthropic", "/v1/messages/count_tokens", '"messages":[{"role":"user","content":"%s"}]', False),
    "gemini": ("gemini", "/v1beta/models/{}:generateContent",
               '"contents":[{"parts":[{"text":"%s"}]}], "generationConfig" : {"topP":0.50}', False),
}
MODELS = {"chat": "gpt-4.1-mini", "completions": "gpt-4.1-mini", "embeddings": "text-embedding-3-small",
          "responses": "gpt-4.1-mini", "messages": "claude-opus-5", "countTokens": "claude-opus-5",
          "gemini": "gemini-3-flash-preview"}


class SameBytesTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.wire = Wire()
        cls.addClassCleanup(cls.wire.close)

    def pairs(self):
        for dialect, (provider, path, fields, streams) in TABLE.items():
            yield dialect, f"{provider}/{MODELS[dialect]}", path, fields % plays.mark("odd", 7777), streams

    def post(self, path, body):
        given = {"authorization": f"Bearer {CLIENT_KEY}", "anthropic-version": "2023-06-01"}
        answer = exchange(self.wire.box.port, "POST", path, body.encode(), given)
        self.assertEqual(answer.status, 200, answer.body)
        return answer, self.wire.providers.last()

    def test_a_whole_answer_and_its_request(self):
        for dialect, model, path, fields, _ in self.pairs():
            with self.subTest(dialect):
                named = "" if "{}" in path else f'"model" :  "{model}" , '
                body = "{ " + named + ODD + fields + " }\n"
                answer, request = self.post(path.format(model), body)
                self.assertEqual(request.body, body.replace(model, MODELS[dialect]).encode())
                if "{}" in path:
                    self.assertEqual(request.path, path.format(MODELS[dialect]))
                self.assertEqual(answer.body, request.answered)
                self.assertIn(b"9007199254740993", answer.body)

    def test_a_stream_and_its_request(self):
        for dialect, model, path, fields, streams in self.pairs():
            if not streams:
                continue
            with self.subTest(dialect):
                option = ', "stream_options" : { "include_usage" : true }' if dialect in ("chat", "completions") else ""
                body = '{ "model" :  "%s" , %s %s%s , "stream"  :true}' % (model, ODD, fields, option)
                answer, request = self.post(path, body)
                self.assertEqual(request.body, body.replace(model, MODELS[dialect]).encode())
                self.assertEqual(answer.body, request.answered)
                self.assertIn("text/event-stream", answer.header("content-type"))

    def test_both_forms_of_a_stream_of_gemini(self):
        _, model, _, fields, _ = next(pair for pair in self.pairs() if pair[0] == "gemini")
        for query, kind in (("?alt=sse", "text/event-stream"), ("", "application/json")):
            with self.subTest(query):
                path = f"/v1beta/models/{model}:streamGenerateContent{query}"
                answer, request = self.post(path, "{ " + ODD + fields + "}")
                self.assertEqual(request.target, path.replace("gemini/", "", 1))
                self.assertEqual(answer.body, request.answered)
                self.assertIn(kind, answer.header("content-type"))
                if not query:
                    self.assertEqual(json.loads(answer.body)[-1]["candidates"][0]["finishReason"], "STOP")
