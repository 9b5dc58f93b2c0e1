"""How many mails a second are read and classified, beside the standard library's parser on the same bytes in the same run.

    python benchmarks/reading.py [--mails 2000] [--rounds 5] [--least 200] [FOLDER]

Without a folder the mails are made here: plain, alternatives with an image, an attachment of 50 kB, a bounce, a list's mail; with
one, its ``.eml`` files are read. Fails if fewer than ``--least`` mails a second of CPU time are read and classified. The peer
does less: ``email.message_from_bytes`` with every part's payload decoded, no addresses, no dates, no classes.
"""

from __future__ import annotations

import argparse
import email
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ticketmail import Attachment, Message
from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.classify import classify

WORDS = "The printer in room 4 says that it has no paper, though somebody filled it this morning. " * 12


def main() -> int:
    """Measure; the exit code tells whether the aim was met."""
    options = parse_options()
    mails = folder(options.folder) if options.folder else made(options.mails)
    size_kb = sum(map(len, mails)) / len(mails) / 1000
    print(f"{len(mails)} mails of {size_kb:.1f} kB on average, best of {options.rounds} rounds, CPU time of one core")
    peer = best(stdlib, mails, options.rounds)
    alone = best(parse, mails, options.rounds)
    both = best(read, mails, options.rounds)
    for name, rate in (("email.message_from_bytes", peer), ("parse", alone), ("parse + classify", both)):
        print(f"{name:<26} {rate:8.0f} mails/s  {rate / peer:5.2f} of the standard library")
    return 0 if both >= options.least else 1


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=200.0, help="mails a second that are still well")
    return parser.parse_args()


def best(work: Callable[[bytes], object], mails: Sequence[bytes], rounds: int) -> float:
    """Mails a second of CPU time, in the best round."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        for raw in mails:
            work(raw)
        times.append(time.process_time() - began)
    return len(mails) / min(times)


def read(raw: bytes) -> object:
    """What becomes of a mail."""
    return classify(parse(raw))


def stdlib(raw: bytes) -> object:
    """The peer: the tree, and each payload decoded."""
    return [part.get_payload(decode=True) for part in email.message_from_bytes(raw).walk()]


def folder(path: Path) -> list[bytes]:
    """The mails of a folder."""
    return [one.read_bytes() for one in sorted(path.rglob("*.eml"))]


def made(number: int) -> list[bytes]:
    """Ordinary mails, each kind in turn."""
    kinds = [plain(), alternatives(), attached(), bounce(), listed()]
    return [kinds[at % len(kinds)] for at in range(number)]


def plain() -> bytes:
    """A few lines of text."""
    return rendered(Message(sender="Ann <ann@example.net>", to="help@example.com", subject="Prüfung", text=WORDS))


def alternatives() -> bytes:
    """Text, HTML, and an image in it."""
    image = Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG" * 1500, content_id="logo")
    html = f"<html><body><p>{WORDS}</p><img src='cid:logo'></body></html>"
    return rendered(
        Message(sender="ann@example.net", to="help@example.com", subject="Re: x", text=WORDS, html=html, attachments=(image,))
    )


def attached() -> bytes:
    """Text and a file."""
    file = Attachment(filename="größe.pdf", content_type="application/pdf", content=b"%PDF-" + bytes(range(256)) * 200)
    return rendered(Message(sender="ann@example.net", to="help@example.com", subject="file", text=WORDS, attachments=(file,)))


def bounce() -> bytes:
    """A report of a failed delivery (RFC 3464) with the mail that it returns."""
    return (
        b"From: MAILER-DAEMON@mx.example.com\r\nTo: help@example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; ann@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + plain()
        + b"\r\n--b--\r\n"
    )


def listed() -> bytes:
    """A list's mail with the header of three relays."""
    hops = b"".join(
        b"Received: from mx%d.example.org (mx%d [192.0.2.%d])\r\n\tby mx.example.net; now\r\n" % (n, n, n) for n in range(9)
    )
    return hops + b"List-Id: <news.example.org>\r\nPrecedence: list\r\n" + plain()


def rendered(message: Message) -> bytes:
    """As our own renderer writes it."""
    return MimeRenderer().render(message, headers=(("Message-ID", "<1@example.com>"),), contents={}, seed="1")


if __name__ == "__main__":
    sys.exit(main())
