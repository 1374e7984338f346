"""Messages between processes: what a thread meets whose end another thread has closed."""

import socket

import pytest

from r1flow.components.processes.lifeline import Channel


def test_an_end_that_was_closed_meanwhile_is_as_gone_as_the_other_one():
    here, there = (Channel(end) for end in socket.socketpair())
    here.send({"a": 1})
    assert there.receive(1.0) == {"a": 1}
    here.close()
    with pytest.raises(EOFError, match="this end"):
        here.receive(1.0)
    with pytest.raises(BrokenPipeError, match="this end"):
        here.send({})
    with pytest.raises(EOFError, match="the other end"):
        there.receive(1.0)
    there.close()
