"""What every store of large content that host and mail service share must do. Subclass it, give two fixtures, run pytest::

class TestMyStore(SharedBlobsContract):
    @pytest.fixture
    def make_store(self):              # each call: another object for the same store
        ...
    @pytest.fixture
    def age(self):                     # make all that is stored as old as so many seconds; raises CannotPlay if it cannot
        ...
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from ticketmail.domain.ports.sharing import SharedBlobs
from ticketmail.testing.gateway_contract import CannotPlay

MakeStore = Callable[[], SharedBlobs]
Age = Callable[[float], None]
DAY_S = 86_400.0


class SharedBlobsContract:
    """See the module."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Override me."""
        raise NotImplementedError("override the fixture make_store")

    @pytest.fixture
    def age(self) -> Age:
        """Override me where the store's time can be moved."""

        def cannot(seconds: float) -> None:
            raise CannotPlay("its time is its own")

        return cannot

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Iterator[SharedBlobs]:
        """One of them."""
        one = make_store()
        yield one
        one.close()

    @pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "small", "a megabyte"])
    def test_what_one_side_puts_the_other_gets(self, store: SharedBlobs, make_store: MakeStore, content: bytes) -> None:
        digest = store.put("acme", content)

        other = make_store()
        assert digest.startswith("sha256:")
        assert other.get("acme", digest) == content
        other.close()

    def test_the_same_content_has_the_same_name_and_is_there_once(self, store: SharedBlobs) -> None:
        assert store.put("", b"x") == store.put("", b"x")
        assert store.sweep(0) == 1

    def test_tenants_are_apart(self, store: SharedBlobs) -> None:
        digest = store.put("acme", b"x")

        with pytest.raises(KeyError):
            store.get("other", digest)

    @pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:../../etc/passwd", "", "nonsense"])
    def test_what_is_not_there_is_a_key_error(self, store: SharedBlobs, digest: str) -> None:
        with pytest.raises(KeyError):
            store.get("", digest)

    def test_a_sweep_takes_what_is_old_and_nothing_else(self, store: SharedBlobs, age: Age) -> None:
        old = store.put("", b"old")
        assert store.sweep(DAY_S) == 0
        _play(lambda: age(2 * DAY_S))
        new = store.put("", b"new")

        assert store.sweep(DAY_S) == 1
        assert store.get("", new) == b"new"
        with pytest.raises(KeyError):
            store.get("", old)

    def test_what_is_put_again_is_young_again(self, store: SharedBlobs, age: Age) -> None:
        store.put("", b"x")
        _play(lambda: age(2 * DAY_S))
        digest = store.put("", b"x")

        assert store.sweep(DAY_S) == 0
        assert store.get("", digest) == b"x"

    def test_eight_threads_put_the_same_and_sweeps_run_beside_them(self, store: SharedBlobs) -> None:
        digests, errors = list[str](), list[BaseException]()

        def put() -> None:
            try:
                for _ in range(10):
                    digests.append(store.put("", b"shared"))
                    store.sweep(DAY_S)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=put) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)

        assert errors == []
        assert store.get("", digests[0]) == b"shared"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_puts_too(self, store: SharedBlobs) -> None:
        store.put("", b"parent")
        child = os.fork()
        if child == 0:  # it says by its exit code how it went
            code = 1
            try:
                store.put("", b"child")
                code = 0
            finally:
                os._exit(code)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.sweep(0) == 2

    def test_closing_twice_is_closing_once_and_the_next_use_opens_again(self, store: SharedBlobs) -> None:
        store.close()
        store.close()

        assert store.get("", store.put("", b"x")) == b"x"


def _play(part: Callable[[], None]) -> None:
    try:
        part()
    except CannotPlay as error:
        pytest.skip(f"the store cannot play it: {error}")
