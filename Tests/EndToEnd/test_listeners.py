"""TLS, the second address for administration, and where plain HTTP is refused."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess

from support import (
    ADMIN_PASSWORD, CLIENT_KEY, Answer, Case, Child, configuration, eventually, exchange, free_port,
    message, program, scenario)


def openssl(*arguments, **more):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **more)


class Identity:
    """A key and a certificate for `localhost` and 127.0.0.1 that signs itself."""

    def __init__(self, directory, name="tls", since=None, until=None):
        self.key, self.certificate = directory / f"{name}.key", directory / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", self.key, "-out", self.certificate, "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "90")
        if until is not None:
            request = directory / f"{name}.csr"
            openssl("req", "-new", "-key", self.key, "-out", request, "-subj", "/CN=localhost")
            (directory / "index.txt").write_text("")
            (directory / "serial").write_text("01\n")
            (directory / "ca.cnf").write_text(
                "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
                "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            openssl("ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", self.key,
                    "-in", request, "-out", self.certificate, "-startdate", since,
                    "-enddate", until, "-notext", cwd=directory)

    def options(self):
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))

    def client(self):
        return ssl.create_default_context(cafile=self.certificate)

    def fingerprint(self):
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())


def secure(port, context, method, path, body=None, headers=None):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class ListenerCase(Case):
    def serve(self, *options, listen="127.0.0.1:0", **environment):
        return subprocess.run(
            [program("signalbox"), "serve", "--listen", listen, "--data",
             str(self.directory / "data"), *options],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", **environment})

    def start(self, *options, wait="listening on"):
        """A gateway with the usual configuration; its port."""
        self.upstream = self.simulator(scenario())
        config = self.directory / "signalbox.yaml"
        config.write_text(configuration(self.upstream))
        port = free_port()
        self.child = Child(
            [program("signalbox"), "serve", "--data", str(self.directory / "data"),
             "--listen", f"127.0.0.1:{port}", "--config", str(config), *options],
            self.directory / "signalbox.log",
            {"SIGNALBOX_ADMIN_PASSWORD": ADMIN_PASSWORD, "SIGNALBOX_CLIENT_KEY": CLIENT_KEY})
        self.children.append(self.child)

        def ready():
            self.assertTrue(self.child.is_running(), self.child.text()[-3000:])
            return wait in self.child.text()

        eventually(ready, "the listener")
        return port


class TLSTests(ListenerCase):
    def test_requests_streams_and_administration_over_tls(self):
        identity = Identity(self.directory)
        port = self.start(*identity.options())
        context = identity.client()
        key = {"authorization": f"Bearer {CLIENT_KEY}"}
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        for round in range(3):
            connection.request(
                "POST", "/v1/chat/completions", json.dumps(message()).encode(), key)
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            self.assertTrue(json.loads(response.read())["choices"], round)
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(message(stream=True)).encode(), key)
        text = connection.getresponse().read()
        self.assertTrue(text.endswith(b"data: [DONE]\n\n"), text[-200:])
        # A body in many records, and one that is too large, answered before it is all sent.
        large = json.dumps(message("x" * 3_000_000)).encode()
        connection.request("POST", "/v1/chat/completions", large, key)
        response = connection.getresponse()
        self.assertEqual(response.status, 200, response.read()[:300])
        response.read()
        connection.close()
        login = secure(port, context, "POST", "/api/auth/login",
                       json.dumps({"password": ADMIN_PASSWORD}).encode())
        self.assertEqual(login.status, 200, login.body)
        self.assertIn("; Secure", login.header("set-cookie"))
        self.assertIn("; HttpOnly", login.header("set-cookie"))
        self.assertIn("; SameSite=Lax", login.header("set-cookie"))
        self.assertIn(f"listening on https://127.0.0.1:{port}", self.child.text())
        self.assertEqual(self.child.stop(), 0)

    def test_only_tls_1_2_and_later(self):
        identity = Identity(self.directory)
        port = self.start(*identity.options())
        for version, is_taken in [
                (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                (ssl.TLSVersion.TLSv1_3, True)]:
            context = identity.client()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with self.subTest(str(version)):
                try:
                    status = secure(port, context, "GET", "/health").status
                except (ssl.SSLError, ConnectionResetError):
                    status = None
                self.assertEqual(status, 200 if is_taken else None)

    def test_plain_http_rubbish_and_silence_on_the_tls_port_harm_nobody(self):
        identity = Identity(self.directory)
        port = self.start(*identity.options())
        quiet = socket.create_connection(("127.0.0.1", port), timeout=20)
        for payload in (b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff" +
                        os.urandom(600), b"\0" * 2000):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(payload)
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                try:
                    while piece := connection.recv(4096):
                        answer += piece
                except ConnectionResetError:
                    pass
                self.assertNotIn(b"HTTP/1.1 200", answer)
        self.assertEqual(secure(port, identity.client(), "GET", "/health").status, 200)
        quiet.close()
        self.assertEqual(self.child.stop(), 0)

    def test_unusable_certificates_are_refused_before_anything_is_made(self):
        good, other = Identity(self.directory, "good"), Identity(self.directory, "other")
        expired = Identity(self.directory, "expired", "20200101000000Z", "20200201000000Z")
        early = Identity(self.directory, "early", "20990101000000Z", "20990201000000Z")
        locked = self.directory / "locked.key"
        openssl("pkey", "-in", good.key, "-aes256", "-passout", "pass:x", "-out", locked)
        empty = self.directory / "empty.pem"
        empty.write_text("")
        missing = self.directory / "missing.pem"
        cases = [
            (missing, good.key, f"cannot open {missing}"),
            (good.certificate, missing, f"cannot open {missing}"),
            (empty, good.key, "holds no certificate"),
            (good.key, good.key, "holds no certificate"),
            (good.certificate, empty, "holds no private key"),
            (good.certificate, good.certificate, "holds no private key"),
            (good.certificate, locked, "passphrase"),
            (good.certificate, other.key, "does not belong"),
            (expired.certificate, expired.key, "expired at 2020-02-01T00:00:00"),
            (early.certificate, early.key, "valid only from 2099-01-01T00:00:00"),
        ]
        for certificate, key, why in cases:
            with self.subTest(why):
                done = self.serve("--tls-cert", str(certificate), "--tls-key", str(key))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(why, done.stderr)
                self.assertNotIn("BEGIN", done.stderr)
                self.assertFalse((self.directory / "data").exists())
        for options in (("--tls-cert", "x"), ("--tls-key", "x"),
                        (*good.options(), "--insecure-http")):
            done = self.serve(*options)
            self.assertEqual(done.returncode, 2, done.stderr)

    def test_a_hang_up_shows_the_new_certificate_and_keeps_the_old_one_over_a_bad(self):
        identity = Identity(self.directory)
        port = self.start(*identity.options())
        open_before = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=20, context=identity.client())
        open_before.request("GET", "/health")
        open_before.getresponse().read()
        # Before there is a handler the signal would end it.
        eventually(lambda: self.hangups_are_taken(), "the handler of SIGHUP")

        def shown():
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
                with context.wrap_socket(raw) as wrapped:
                    return wrapped.getpeercert(binary_form=True)

        self.assertEqual(shown(), identity.fingerprint())
        first = identity.fingerprint()
        renewed = Identity(self.directory, "renewed")
        identity.key.write_bytes(b"no key\n")
        os.kill(self.child.pid, signal.SIGHUP)
        eventually(lambda: "was not replaced" in self.child.text(), "a refusal of the bad key")
        self.assertEqual(shown(), first)
        identity.key.write_bytes(renewed.key.read_bytes())
        identity.certificate.write_bytes(renewed.certificate.read_bytes())
        os.kill(self.child.pid, signal.SIGHUP)
        eventually(lambda: "was read again" in self.child.text(), "the new certificate")
        self.assertEqual(shown(), renewed.fingerprint())
        open_before.request("GET", "/health")
        self.assertEqual(open_before.getresponse().status, 200)
        self.assertEqual(self.child.stop(), 0)

    def hangups_are_taken(self):
        for line in open(f"/proc/{self.child.pid}/status"):
            if line.startswith(("SigIgn", "SigCgt")) and int(line.split()[1], 16) & 1:
                return True
        return False

    def test_listening_for_other_machines_wants_tls_or_the_word(self):
        for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:8080", "example.com:80"):
            done = self.serve(listen=listen)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--tls-cert", done.stderr)
        done = self.serve("--admin-listen", "0.0.0.0:0")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("0.0.0.0:0 can be reached", done.stderr)
        self.assertFalse((self.directory / "data").exists())


class AdministrationListenerTests(ListenerCase):
    def test_administration_answers_on_its_own_address_alone(self):
        admin = free_port()
        main = self.start("--admin-listen", f"127.0.0.1:{admin}", wait="administration on")
        self.assertIn(f"administration on http://127.0.0.1:{admin}", self.child.text())
        body = json.dumps({"password": ADMIN_PASSWORD}).encode()
        refused = exchange(main, "POST", "/api/auth/login", body)
        self.assertEqual(refused.status, 404, refused.body)
        self.assertIn("--admin-listen", refused.json()["error"]["remedy"])
        login = exchange(admin, "POST", "/api/auth/login", body)
        self.assertEqual(login.status, 200, login.body)
        session = {"authorization": "Bearer " + login.json()["token"]}

        inventory = exchange(admin, "GET", "/api/settings/authz-inventory", None, session)
        self.assertEqual(inventory.status, 200, inventory.body)
        self.assertIn("administration-listener",
                      [one["name"] for one in inventory.json()["policies_active"]])
        for tier in inventory.json()["tiers"]:
            for row in tier["routes"]:
                if tier["name"] != "admin" or row["admitsKeys"]:
                    continue
                path = re.sub(r"\{[^}]*\}", "x", row["path"])
                answer = exchange(
                    main, row["method"], path, None if row["method"] == "GET" else b"{}", session)
                self.assertEqual(answer.status, 404, f"{row} {answer.body}")

        # Clients on the first address, and not on the second.
        key = {"authorization": f"Bearer {CLIENT_KEY}"}
        asked = json.dumps(message()).encode()
        answer = exchange(main, "POST", "/v1/chat/completions", asked, key)
        self.assertEqual(answer.status, 200, answer.body)
        identity = answer.header("x-request-id")
        for method, path, body in [
                ("POST", "/v1/chat/completions", asked), ("GET", "/v1/models", None),
                ("GET", "/v1/models/mock/gpt-4o", None)]:
            self.assertEqual(exchange(admin, method, path, body, key).status, 404, path)
        # A client's own audit is asked where the client is; a session counts at the other address.
        path = f"/v1/audit/requests/{identity}"
        self.assertEqual(exchange(main, "GET", path, None, key).status, 200)
        self.assertEqual(exchange(main, "GET", path, None, session).status, 401)
        self.assertEqual(exchange(admin, "GET", path, None, session).status, 200)
        for port in (main, admin):
            self.assertEqual(exchange(port, "GET", "/health").status, 200)
        foreign = {**session, "host": "evil.example"}
        self.assertEqual(exchange(admin, "GET", "/api/settings", None, foreign).status, 403)
        self.assertEqual(self.child.stop(), 0)

    def test_an_address_that_is_taken_is_said_and_nothing_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.serve("--admin-listen", f"127.0.0.1:{port}")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("ddress already in use", done.stderr)

    def test_both_addresses_speak_tls(self):
        identity = Identity(self.directory)
        admin = free_port()
        main = self.start(
            "--admin-listen", f"127.0.0.1:{admin}", *identity.options(), wait="administration on")
        for port in (main, admin):
            self.assertEqual(secure(port, identity.client(), "GET", "/health").status, 200)
        self.assertIn(f"administration on https://127.0.0.1:{admin}", self.child.text())
