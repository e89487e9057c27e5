"""Frames out as a server reads them, frames in however the network cuts them."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from hip3.exchange.channel import READ_MS, Channel, ReadAhead, text_frame
from tests.exchange.tls import certificate, tls_server

TEXTS = st.text(max_size=300) | st.sampled_from(["x" * n for n in (0, 125, 126, 127, 65_535, 65_536, 70_000)])


@given(TEXTS, st.binary(min_size=4, max_size=4))
def test_a_server_reads_what_was_written(text: str, mask: bytes) -> None:
    server = Connection(ConnectionType.SERVER)
    server.receive_data(text_frame(text, mask))
    parts = [e for e in server.events() if isinstance(e, TextMessage)]
    assert "".join(p.data for p in parts) == text
    assert parts[-1].message_finished


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), min_size=1), st.lists(st.integers(1, 50), min_size=1))
def test_reading_ahead_gives_the_same_bytes_in_the_same_order(data: bytes, cuts: list[int], sizes: list[int]) -> None:
    source, left = iter(range(10_000)), [data]

    def recv(size: int) -> bytes:
        cut = cuts[next(source) % len(cuts)]
        taken, left[0] = left[0][:cut], left[0][cut:]
        return taken

    read, out = ReadAhead(recv), b""
    for n in range(10_000):
        part = read(sizes[n % len(sizes)])
        assert len(part) <= sizes[n % len(sizes)]
        if not part:
            break
        out += part
    assert out == data


Pair = tuple[Channel, socket.socket, Connection]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A channel after its handshake, and the server's end of its socket."""
    near, far = socket.socketpair()
    ws = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=True)
    ws.sock, ws.connected = near, True
    near.settimeout(0.05)
    far.settimeout(5)
    yield Channel(ws), far, Connection(ConnectionType.SERVER)
    near.close()
    far.close()


def test_many_frames_in_one_read_and_one_frame_in_many(pair: Pair) -> None:
    channel, far, server = pair
    wanted = [f"{n}:" + "y" * n for n in (0, 1, 125, 126, 500)]
    far.sendall(b"".join(server.send(TextMessage(data=text)) for text in wanted))
    assert [channel.recv_data()[1].decode() for _ in wanted] == wanted
    for byte in server.send(TextMessage(data="slowly")):
        far.sendall(bytes([byte]))
    assert channel.recv_data()[1] == b"slowly"


def test_a_frame_cut_by_a_time_out_is_read_to_its_end_later(pair: Pair) -> None:
    channel, far, server = pair
    whole = server.send(TextMessage(data="in two parts"))
    far.sendall(whole[:5])
    with pytest.raises(websocket.WebSocketTimeoutException):
        channel.recv_data()
    far.sendall(whole[5:])
    assert channel.recv_data()[1] == b"in two parts"


def test_a_frame_that_drips_lets_go_of_the_reader(pair: Pair) -> None:
    channel, _, server = pair
    whole = server.send(TextMessage(data="byte by byte"))
    sent, times = iter(whole), iter(range(0, 1_000_000, READ_MS // 4))
    channel._ahead._now_ms = lambda: next(times)
    channel._ahead._recv = lambda size: bytes([next(sent)])
    came, rounds = None, 0
    while came is None and rounds < len(whole):
        rounds += 1
        with suppress(websocket.WebSocketTimeoutException):
            came = channel.recv_data()[1]
    assert came == b"byte by byte"
    assert rounds > 2


def test_fragments_pings_and_the_close_are_still_the_library_s(pair: Pair) -> None:
    channel, far, server = pair
    far.sendall(
        server.send(BytesMessage(data=b"half ", message_finished=False))
        + server.send(Ping(payload=b"there?"))
        + server.send(BytesMessage(data=b"whole"))
    )
    assert channel.recv_data() == (websocket.ABNF.OPCODE_BINARY, b"half whole")
    server.receive_data(far.recv(1000))
    assert [e.payload for e in server.events() if isinstance(e, Pong)] == [bytearray(b"there?")]
    far.sendall(server.send(CloseConnection(code=1000)))
    assert channel.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE


def test_what_is_sent_arrives_and_a_dead_socket_raises(pair: Pair) -> None:
    channel, far, server = pair
    channel.send("order")
    server.receive_data(far.recv(1000))
    assert [e.data for e in server.events() if isinstance(e, TextMessage)] == ["order"]
    far.close()
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        channel.recv_data()
    channel.shutdown()
    with pytest.raises((OSError, AttributeError)):
        channel.send("too late")


def _talk(url: str, pem: Path, count: int) -> int:
    """One thread reads while another sends, `count` times to and fro; how many answers came before the end."""
    ws = websocket.create_connection(
        url, timeout=5, skip_utf8_validation=True, enable_multithread=True, sslopt={"ca_certs": str(pem)}
    )
    ws.settimeout(0.1)
    channel, answered = Channel(ws), threading.Semaphore(0)
    heard: list[int] = []

    def read() -> None:
        with suppress(OSError, websocket.WebSocketException):
            while len(heard) < count:
                try:
                    _, body = channel.recv_data()
                except websocket.WebSocketTimeoutException:
                    continue
                if body.startswith(b"order"):
                    heard.append(int(body[6:16]))
                    answered.release()

    reader = threading.Thread(target=read)
    reader.start()
    with suppress(OSError, websocket.WebSocketException, AttributeError):
        for number in range(count):
            channel.send(f"order {number:010d}" + "x" * 500)
            if not answered.acquire(timeout=3):
                break
    reader.join(10)
    channel.shutdown()
    assert heard == list(range(len(heard)))
    return len(heard)


@pytest.mark.parametrize("count", [6000, pytest.param(200_000, marks=pytest.mark.long)])
def test_over_tls_a_read_beside_a_write_is_no_end(tmp_path: Path, count: int) -> None:
    pem = certificate(tmp_path)
    with tls_server(pem) as url:
        assert _talk(url, pem, count) == count


def test_over_tls_another_thread_ends_a_read(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    with tls_server(pem) as url:
        ws = websocket.create_connection(url, timeout=5, enable_multithread=True, sslopt={"ca_certs": str(pem)})
        ws.settimeout(0.1)
        channel, ended = Channel(ws), threading.Event()

        def read() -> None:
            try:
                while True:
                    with suppress(websocket.WebSocketTimeoutException):
                        channel.recv_data()
            except (OSError, websocket.WebSocketException):
                ended.set()

        reader = threading.Thread(target=read)
        reader.start()
        channel.shutdown()
        assert ended.wait(5)
        reader.join(5)


def test_over_tls_nothing_is_closed_while_a_call_is_under_way() -> None:
    """What OpenSSL works on must not be freed, nor its number be another file's, in the middle of a call."""
    lock, closed = threading.Lock(), []
    with socket.socket() as plain:
        sock = ssl.create_default_context().wrap_socket(plain, do_handshake_on_connect=False, server_hostname="x")
        with sock:
            ws = SimpleNamespace(
                sock=sock, lock=lock, gettimeout=lambda: 1.0, frame_buffer=SimpleNamespace(recv=None),
                shutdown=lambda: closed.append(lock.locked()),
            )  # fmt: skip
            Channel(ws).shutdown()
    assert closed == [True]
