"""A foreign mail server, aiosmtpd, takes our messages; Python's own parser reads them."""

import contextlib
import datetime
import email
import email.policy
import logging
import queue
import re
import socket
import sqlite3
import ssl
import warnings
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from servers import PASSWORD, Countersign, countersign

ENCRYPTIONS = ["STARTTLS", "TLS", "in clear"]
RELAY = ("relay", "a password of the relay")
# What it says of clients that break off, and of a login without STARTTLS, is what is tried here.
logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS", UserWarning)
PAGE = "https://app.example.com/welcome#token={token}"


class Mailbox:
    """Keeps what the server takes."""

    def __init__(self):
        self.taken = queue.Queue()

    async def handle_DATA(self, _server, _session, envelope):
        self.taken.put((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def next(self):
        return self.taken.get(timeout=60)


def authority(directory):
    """A private one, in a file, and the certificate that it made for localhost."""
    now = datetime.datetime.now(datetime.timezone.utc)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("Private CA", "localhost")]

    def certificate(subject, public_key, *extensions):
        builder = x509.CertificateBuilder(names[0], subject, public_key, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    root, chain = Path(directory, "ca.pem"), Path(directory, "localhost.pem")
    root.write_bytes(certificate(names[0], key.public_key(), (x509.BasicConstraints(ca=True, path_length=None), True)))
    alternative = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    chain.write_bytes(
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate(names[1], own.public_key(), (alternative, False))
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    return root, context


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def relay(port, encryption="in clear", context=None):
    """The mail server, which wants to know who we are unless all is in clear."""
    login = {"authenticator": authenticate, "auth_required": True}
    options = {
        "STARTTLS": login | {"tls_context": context, "require_starttls": True},
        "TLS": login | {"ssl_context": context, "auth_require_tls": False},  # it does not count its own as such
        "in clear": {},
    }
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options[encryption])
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def authenticate(_server, _session, _envelope, _mechanism, data):
    wanted = LoginPassword(*(text.encode() for text in RELAY))
    return AuthResult(success=data == wanted, handled=False)


def settings_for(port, encryption="in clear", root=None):
    in_clear = encryption == "in clear"
    return {
        "REGISTRATION_PRIVACY": "on",
        "REGISTRATION_CONFIRM_URL": PAGE,
        "EMAIL_HOST": "localhost",
        "EMAIL_PORT": str(port),
        "EMAIL_USE_TLS": str(encryption == "STARTTLS"),
        "EMAIL_USE_SSL": str(encryption == "TLS"),
        "EMAIL_TIMEOUT": "10",
        "DEFAULT_FROM_EMAIL": "Example <noreply@example.com>",
    } | ({} if in_clear else {"EMAIL_HOST_USER": RELAY[0], "EMAIL_HOST_PASSWORD": RELAY[1], "SSL_CERT_FILE": str(root)})


def link_in(message):
    found = re.search(r"^https://app\.example\.com/welcome#token=(\S+)\r?$", message.get_content(), re.MULTILINE)
    return found and found.group(1)


def an_account_is_made_by_mail(check, directory, encryption):
    port = free_port()
    root, context = authority(directory)
    settings = settings_for(port, encryption, root)
    with relay(port, encryption, context) as mailbox, Countersign(directory, **settings) as server:
        check.answers("asking is answered", server.post("/user/api/register/", email="ada@example.com"), 202)
        recipients, message = mailbox.next()
        check.holds("the message is for whom it was asked", recipients == ["ada@example.com"], recipients)
        headers = [message[name] for name in ("From", "To", "Auto-Submitted")]
        wanted = ["Example <noreply@example.com>", "ada@example.com", "auto-generated"]
        check.holds("its headers are as they should be", headers == wanted, headers)
        check.holds("Python finds nothing wrong with it", not message.defects and message["Date"].datetime, message)
        token = link_in(message)
        check.holds("it has the link", token, message.get_content())
        confirmed = server.post("/user/api/register/confirm/", token=token, password=PASSWORD)
        check.answers("whoever has the link makes the account", confirmed, 201, '"ada@example.com"')
        check.answers("and logs in", server.log_in("ada@example.com"), 200)
        again = server.post("/user/api/register/confirm/", token=token, password=PASSWORD)
        check.answers("the link is good for one account", again, 400, '"token"')
        check.answers("asking again is answered alike", server.post("/user/api/register/", email="ada@example.com"), 202)
        _, second = mailbox.next()
        check.holds("there is no second link", not link_in(second), second.get_content())
        tried, said, _ = countersign(server.database, "sendtestemail", "bob@example.com", **settings)
        recipients, _ = mailbox.next()
        check.holds("a test is taken", tried == 0 and recipients == ["bob@example.com"] and "250" in said, said)
        if encryption != "in clear":
            wrong = settings | {"EMAIL_HOST_PASSWORD": "a wrong one"}
            tried, _, why = countersign(server.database, "sendtestemail", "bob@example.com", **wrong)
            check.holds("a wrong password is told", tried == 1 and "535" in why, why)
            strange = {name: value for name, value in settings.items() if name != "SSL_CERT_FILE"}
            tried, _, why = countersign(server.database, "sendtestemail", "bob@example.com", **strange)
            check.holds("a certificate that nobody trusts is told", tried == 1 and "certificate" in why, why)
        log = server.log.read_text()
        check.holds("no address is in the log", "mail sent" in log and "example.com" not in log, log)


def what_was_answered_outlives_its_server(check, directory):
    port = free_port()
    settings = settings_for(port)
    with Countersign(directory, **settings) as server:
        check.answers("asking is answered", server.post("/user/api/register/", email="ada@example.com"), 202)
    # That was kill -9, with nobody there who takes mail. Time is moved rather than waited for.
    with contextlib.closing(sqlite3.connect(server.database)) as database, database:
        waiting = database.execute("UPDATE countersign_mail SET next_attempt_at = created_at").rowcount
    check.holds("the mail waits", waiting == 1, waiting)
    with relay(port) as mailbox, Countersign(directory, **settings):
        recipients, message = mailbox.next()
        check.holds("it comes after the next start", recipients == ["ada@example.com"] and link_in(message), message)
