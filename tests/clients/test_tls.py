"""What the server lets a real TLS client speak: Debian's openssl, with every old protocol and weak cipher that it has left."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ["BINARY"]
# OpenSSL offers what is old and weak only at this level.
OLD = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
MODERN = {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}


def openssl(*command, **options):
    """Runs openssl and gives what it says."""
    done = subprocess.run(["openssl", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30, check=False, **options)
    return done.stdout


class Tls(unittest.TestCase):
    """One server; a handshake for each thing that could be spoken."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tls-"))
        cls.certify("one")
        (cls.folder / "s.toml").write_text('[tls]\ncert_file = "cert.pem"\nkey_file = "key.pem"\n')
        with socket.create_server(("127.0.0.1", 0)) as free:
            cls.address = f"127.0.0.1:{free.getsockname()[1]}"
        cls.log = (cls.folder / "log").open("wb")
        cls.server = subprocess.Popen([BINARY, "serve", "--memory", "--config", "s.toml", "--listen", cls.address],
                                      cwd=cls.folder, stderr=cls.log)
        for _ in range(200):
            if "listening" in cls.said():
                return
            time.sleep(0.05)
        raise AssertionError(cls.said())

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(20)
        cls.log.close()
        for path in cls.folder.iterdir():
            path.unlink()
        cls.folder.rmdir()

    @classmethod
    def said(cls):
        """The log so far."""
        return (cls.folder / "log").read_text()

    @classmethod
    def certify(cls, name):
        """Puts another certificate and key in the place of those there are."""
        said = openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                       f"/CN={name}", "-keyout", str(cls.folder / "key.pem"), "-out", str(cls.folder / "cert.pem"))
        assert (cls.folder / "cert.pem").exists(), said
        (cls.folder / "key.pem").chmod(0o600)

    def greet(self, *flags):
        """Protocol, cipher and name of a handshake; `None` where there is none."""
        said = openssl("s_client", "-connect", self.address, *flags)
        found = re.search(r"^New, (\S+), Cipher is (\S+)$", said, re.M)
        self.assertTrue(found, said)
        if found[2] == "(NONE)":
            return None
        name = re.search(r"subject=.*CN ?= ?(\w+)", said)
        return re.search(r"Protocol *: (\S+)", said)[1] if "Protocol  :" in said else found[1], found[2], name and name[1]

    def test_modern_protocols_are_spoken(self):
        self.assertEqual(self.greet("-tls1_3")[1:], ("TLS_AES_256_GCM_SHA384", "one"))
        cipher = self.greet("-tls1_2")[1]
        self.assertRegex(cipher, "^ECDHE-ECDSA-(AES|CHACHA20).*(GCM|POLY1305)")

    def test_old_protocols_are_refused(self):
        for flag in ("-tls1", "-tls1_1"):
            self.assertIsNone(self.greet(flag, "-cipher", OLD), flag)
        # Whoever can speak old and new speaks new.
        self.assertEqual(self.greet("-cipher", OLD)[1], "TLS_AES_256_GCM_SHA384")

    def test_of_all_ciphers_only_strong_ones_are_taken(self):
        taken, refused = set(), set()
        for cipher in openssl("ciphers", "-s", "-tls1_2", OLD).strip().split(":"):
            if cipher in MODERN:
                continue
            (taken if self.greet("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0") else refused).add(cipher)
        self.assertGreater(len(refused), 30, refused)
        self.assertTrue({"AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"} <= refused, refused)
        # With a certificate of this kind these are all that have a fresh key exchange and authenticated encryption.
        self.assertEqual(taken, {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"})
        self.assertIsNone(self.greet("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"))

    def test_plain_http_gets_nothing(self):
        with socket.create_connection(self.address.split(":"), timeout=10) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"HTTP/", plain.recv(1000))

    def test_a_renewed_certificate_is_taken_while_it_runs(self):
        def reload(words):
            before = self.said().count(words)
            self.server.send_signal(signal.SIGHUP)
            for _ in range(200):
                if self.said().count(words) > before:
                    return
                time.sleep(0.05)
            self.fail(self.said())

        with socket.create_connection(self.address.split(":"), timeout=10):
            self.certify("two")
            self.assertEqual(self.greet("-tls1_3")[2], "one")
            reload("the new settings hold")
            self.assertEqual(self.greet("-tls1_3")[2], "two")
        (self.folder / "cert.pem").write_text("nothing")
        reload("stay in force")
        self.assertEqual(self.greet("-tls1_3")[2], "two")
        self.certify("one")
        reload("the new settings hold")
        self.assertEqual(self.greet("-tls1_3")[2], "one")


if __name__ == "__main__":
    unittest.main()
