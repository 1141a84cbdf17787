"""A place that is taken, or that nobody may have, is told in a sentence before anything is opened."""

import socket

import pytest

from retinue.web.serving import CannotListen, check_place


def test_a_taken_port_is_named_with_another_to_choose() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"listens on 127.0.0.1:{port}. Choose another: RETINUE_PORT={port + 1}"):
            check_place("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotListen, match=r"nothing can listen on 203\.0\.113\.7:8000"):
        check_place("203.0.113.7", 8000)


def test_a_place_that_is_free_is_not_refused() -> None:
    check_place("127.0.0.1", 0)
