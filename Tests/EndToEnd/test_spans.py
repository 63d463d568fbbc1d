"""OpenTelemetry spans of a real gateway, as a recording collector gets them."""

import http.server
import json
import re
import subprocess
import threading

from story import Story
from support import CLIENT_KEY, eventually, exchange, program


class Recording(http.server.BaseHTTPRequestHandler):
    """Takes what is posted; answers with the status that is set."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        server = self.server
        server.calls.append((self.path, dict(self.headers), server.status, body))
        self.send_response(server.status)
        self.send_header("content-length", str(len(server.answer)))
        self.end_headers()
        self.wfile.write(server.answer)

    def log_message(self, *_):
        pass


class Provider(http.server.BaseHTTPRequestHandler):
    """Keeps the heads of what it is asked; answers with the statuses that are set, then with 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.heads.append(self.headers)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class SpanTests(Story):
    @classmethod
    def setUpClass(cls):
        cls.collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recording)
        cls.collector.calls, cls.collector.status, cls.collector.answer = [], 200, b"{}"
        threading.Thread(target=cls.collector.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.collector.server_close)
        cls.addClassCleanup(cls.collector.shutdown)
        cls.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{cls.collector.server_port}/base/",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20collector-secret,x-tenant=t1",
            "OTEL_SERVICE_NAME": "box-7",
        }
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.collector.calls.clear()
        self.collector.status, self.collector.answer = 200, b"{}"

    def spans(self):
        found = []
        for _, _, status, body in list(self.collector.calls):
            if status == 200:
                for resource in json.loads(body)["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        found += scope["spans"]
        return found

    def trace(self, answer, count):
        """The spans of an answered request, once there are so many."""
        trace = answer.header("x-signalbox-request-id").replace("-", "")
        found = lambda: [span for span in self.spans() if span["traceId"] == trace]
        eventually(lambda: len(found()) >= count, f"{count} spans of {trace}")
        return found()

    @staticmethod
    def attributes(span):
        return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}

    def counts(self):
        text = exchange(self.box.port, "GET", "/metrics").body.decode()
        return {name: int(value) for name, value in re.findall(
            r'^signalbox_spans_total\{result="(\w+)"\} (\d+)$', text, re.MULTILINE)}

    def test_a_failed_over_request_is_a_trace(self):
        pool = self.pool(2)
        self.play({"prompt-tokens": 7, "completion-tokens": 3})
        self.upstream.next({"status": 500})
        answer = self.chat(pool.model, text="a prompt that nobody may see")
        self.assertEqual(answer.status, 200)
        server, first, second = sorted(self.trace(answer, 3), key=lambda span: (span["kind"], span["startTimeUnixNano"]))
        self.assertEqual((server["kind"], first["kind"], second["kind"]), (2, 3, 3))
        self.assertEqual({first["parentSpanId"], second["parentSpanId"]}, {server["spanId"]})
        self.assertLessEqual(int(server["startTimeUnixNano"]), int(first["startTimeUnixNano"]))
        self.assertLessEqual(int(second["endTimeUnixNano"]), int(server["endTimeUnixNano"]) + 1_000_000)
        record = self.box.audit(answer.header("x-request-id"))
        for span, attempt in zip((first, second), record["attempts"]):
            found = self.attributes(span)
            self.assertEqual(found["signalbox.account"], attempt["account"])
            self.assertEqual(found["http.response.status_code"], str(attempt["status"]))
            self.assertEqual(found["gen_ai.provider.name"], "openai")
            self.assertEqual(found["gen_ai.request.model"], "gpt-4o-mini")
        self.assertEqual(first["status"], {"code": 2})
        self.assertEqual(self.attributes(second)["gen_ai.usage.input_tokens"], "7")
        self.assertEqual(self.attributes(second)["gen_ai.usage.output_tokens"], "3")
        self.assertEqual(second["name"], "chat gpt-4o-mini")

        path, headers, _, body = self.collector.calls[-1]
        self.assertEqual(path, "/base/v1/traces")
        headers = {name.lower(): value for name, value in headers.items()}
        self.assertEqual(headers["authorization"], "Bearer collector-secret")
        self.assertEqual((headers["x-tenant"], headers["content-type"]), ("t1", "application/json"))
        resource = json.loads(body)["resourceSpans"][0]["resource"]["attributes"]
        self.assertIn({"key": "service.name", "value": {"stringValue": "box-7"}}, resource)
        everything = b"".join(body for _, _, _, body in self.collector.calls).decode()
        for secret in ("a prompt that nobody may see", CLIENT_KEY, "sk-upstream", "collector-secret"):
            self.assertNotIn(secret, everything)
        self.assertNotIn("collector-secret", self.box.text())

    def test_client_gateway_and_provider_are_one_trace(self):
        provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        provider.heads, provider.statuses = [], [500]
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        self.addCleanup(provider.server_close)
        self.addCleanup(provider.shutdown)
        pool = self.pool(2, baseUrl=f"http://127.0.0.1:{provider.server_port}/v1")
        trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
        answer = self.chat(
            pool.model, headers={"traceparent": f"00-{trace}-{parent}-01", "tracestate": "maker=t61,other@x=1"})
        self.assertEqual(answer.status, 200)
        found = lambda: [span for span in self.spans() if span["traceId"] == trace]
        eventually(lambda: len(found()) >= 3, "three spans of the client's trace")
        server, *calls = sorted(found(), key=lambda span: (span["kind"], span["startTimeUnixNano"]))
        self.assertEqual(server["parentSpanId"], parent)
        self.assertEqual([call["parentSpanId"] for call in calls], [server["spanId"]] * 2)
        self.assertEqual(
            [head["traceparent"] for head in provider.heads], [f"00-{trace}-{call['spanId']}-01" for call in calls])
        self.assertEqual([head["tracestate"] for head in provider.heads], ["maker=t61,other@x=1"] * 2)
        record = self.box.audit(answer.header("x-request-id"))
        self.assertEqual((record["traceId"], record["spanId"]), (trace, server["spanId"]))
        shown = self.box.recorded(answer.header("x-request-id"))
        self.assertEqual(shown["trace"], {"id": trace, "parent": parent, "sampled": True})

        # The router's own form says which span it is.
        provider.heads.clear()
        answer = exchange(
            self.box.port, "POST", "/v1/inference",
            json.dumps({"request_id": "r1", "model": pool.model, "payload": "Hello"}).encode(),
            {"authorization": f"Bearer {CLIENT_KEY}"}).json()
        found = lambda: [span for span in self.spans() if span["traceId"] == answer["trace_id"]]
        eventually(lambda: len(found()) >= 2, "two spans of a trace of our own")
        server, call = sorted(found(), key=lambda span: span["kind"])
        self.assertEqual(server["spanId"], answer["span_id"])
        self.assertNotIn("parentSpanId", server)
        self.assertEqual(provider.heads[0]["traceparent"], f"00-{answer['trace_id']}-{call['spanId']}-01")

        # What the client does not keep is told to nobody, and so neither is the provider asked to keep it.
        provider.heads.clear()
        unkept = "1bf92f3577b34da6a3ce929d0e0e4736"
        self.chat(pool.model, headers={"traceparent": f"00-{unkept}-{parent}-00"})
        self.trace(self.chat(pool.model), 2)
        self.assertEqual([span for span in self.spans() if span["traceId"] == unkept], [])
        self.assertRegex(provider.heads[0]["traceparent"], f"^00-{unkept}-(?!{parent})[0-9a-f]{{16}}-00$")

    def test_refused_requests_have_a_span_and_a_collector_that_is_down_loses_none(self):
        pool = self.pool(1)
        self.collector.status = 503
        before = self.counts()
        answers = [self.chat(pool.model), self.chat("nobody/offers"), self.chat(pool.model)]
        eventually(lambda: self.collector.calls, "a call to the collector")
        self.collector.status = 200
        for answer, count in zip(answers, (2, 1, 2)):
            self.assertEqual(len(self.trace(answer, count)), count)
        denied = self.trace(answers[1], 1)[0]
        self.assertEqual(self.attributes(denied)["error.type"], "model_not_found")
        self.assertEqual(denied["status"], {})
        after = self.counts()
        self.assertEqual(after["exported"] - before["exported"], 5)
        self.assertEqual((after["failed"], after["dropped"]), (before["failed"], 0))
        # What no collector will ever take is counted, and left.
        self.collector.status = 400
        self.chat(pool.model)
        eventually(lambda: self.counts()["failed"] == before["failed"] + 2, "the refused spans")
        # What it takes but for a part is counted as such, whichever way it writes the number.
        self.collector.status = 200
        for count in ('"1"', "1"):
            before = self.counts()
            self.collector.answer = b'{"partialSuccess":{"rejectedSpans":%s,"errorMessage":"no"}}' % count.encode()
            self.trace(self.chat(pool.model), 2)
            eventually(lambda: self.counts() == {
                **before, "failed": before["failed"] + 1, "exported": before["exported"] + 1}, f"{count} rejected")

    def test_what_is_left_at_a_stop_is_sent(self):
        pool = self.pool(1)
        answer = self.chat(pool.model)
        self.assertEqual(self.box.stop(), 0)
        trace = answer.header("x-signalbox-request-id").replace("-", "")
        self.assertEqual(len([span for span in self.spans() if span["traceId"] == trace]), 2)
        self.box.start()
        self.children.append(self.box.child)

    def test_an_address_that_is_none_is_said_before_anything_is_written(self):
        for name, value in (
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "no-value-secret")):
            environment = {"PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value}
            data = self.directory / "never"
            ran = subprocess.run(
                [program("signalbox"), "serve", "--data", str(data), "--listen", "127.0.0.1:0"],
                env=environment, capture_output=True, text=True, timeout=30)
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(name, ran.stderr)
            self.assertNotIn("no-value-secret", ran.stderr)
            self.assertFalse(data.exists())
