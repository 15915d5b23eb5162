"""The short way to the API, over real sockets: what servers, proxies and networks do to it."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.integration.client.sockets import OK, Asked, serving, well

from pyscrai.client.connection import Connection
from pyscrai.client.direct import KEPT, MOST, Direct
from pyscrai.client.errors import ApiUnreachable, Conflict, Unavailable
from pyscrai.client.http import Http
from pyscrai.client.route import NoAnswer

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


async def test_what_is_sent() -> None:
    async with serving(well) as server, Http(server.url.upper() + "/base/", token="t") as http:
        assert await http.request("POST", "/runs/a b/ä", json={"x": 1}, params={"q": "a&b", "all": True, "no": None})
        await http.request("POST", "/runs")
        await http.request("GET", "/runs", params={"id": ["1", "2"], "limit": 3})
    first, second, third = server.asked
    assert first.line == "POST /base/api/v1/runs/a%20b/%C3%A4?q=a%26b&all=true HTTP/1.1"
    assert first.body == b'{"x":1}'
    head = first.head.lower()
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert "authorization: bearer t\r\n" in head
    assert "content-type: application/json\r\n" in head
    assert "content-length: 0\r\n" in second.head
    assert third.line == "GET /base/api/v1/runs?id=1&id=2&limit=3 HTTP/1.1"
    assert "content-length" not in third.head
    assert server.connections == 1


async def test_many_at_once_share_a_bounded_number_of_connections() -> None:
    at_once = 0
    most = 0
    full = asyncio.Event()

    async def hold(asked: Asked) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == MOST:
            full.set()
        await full.wait()
        at_once -= 1
        await asked.say(OK)

    async with serving(hold) as server, Http(server.url) as http:
        answers = await asyncio.gather(*[http.request("POST", "/runs") for _ in range(3 * MOST)])
        assert answers == [True] * 3 * MOST
        assert most == MOST
        await server.until(lambda: server.open <= KEPT)
        before = server.connections
        await asyncio.gather(*[http.request("POST", "/runs") for _ in range(KEPT)])
        assert server.connections == before


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\ntr\r\n2\r\nue\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ntrue",
        b"HTTP/1.0 200 OK\r\n\r\ntrue",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ntrue",
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
async def test_every_form_of_an_answer(answer: bytes, bytewise: bool) -> None:
    async def say(asked: Asked) -> None:
        for part in [answer[i : i + 1] for i in range(len(answer))] if bytewise else [answer]:
            await asked.say(part)
            await asyncio.sleep(0)
        if b"chunked" not in answer and b"content-length" not in answer:
            asked.cut()

    async with serving(say) as server, Http(server.url) as http:
        assert await http.request("POST", "/runs") is True
        assert await http.request("POST", "/runs") is True
        kept = b"close" not in answer and b"HTTP/1.0" not in answer
        assert server.connections == (1 if kept else 2)


async def test_a_problem_is_an_error_and_the_connection_is_kept() -> None:
    async def refuse(asked: Asked) -> None:
        body = b'{"title":"No","status":409,"code":"conflict","detail":"taken"}'
        head = f"HTTP/1.1 409 Conflict\r\nRetry-After: 7\r\ncontent-length: {len(body)}\r\n\r\n"
        await asked.say(head.encode() + body)

    async with serving(refuse) as server, Http(server.url) as http:
        for _ in range(2):
            with pytest.raises(Conflict, match="taken") as caught:
                await http.request("POST", "/runs")
            assert caught.value.retry_after == 7
        assert server.connections == 1


async def cut_the_second(asked: Asked) -> None:
    """A server whose keep-alive ends just as the next request comes."""
    if asked.on == 1 and asked.line.startswith(("PUT /api/v1/second", "GET /api/v1/second")):
        asked.cut()
    else:
        await asked.say(OK)


@pytest.mark.parametrize(("method", "repeatable"), [("PUT", True), ("GET", False)])
async def test_what_may_be_repeated_goes_out_again_where_a_kept_connection_was_closed(
    method: str, repeatable: bool
) -> None:
    async with serving(cut_the_second) as server, Http(server.url) as http:
        await http.request("PUT", "/first")
        assert await http.fetch(method, "/second", repeatable=repeatable) == b"true"
        assert [asked.on for asked in server.asked] == [1, 1, 2]


async def test_nothing_else_is_sent_twice() -> None:
    async with serving(cut_the_second) as server, Http(server.url) as http:
        await http.request("PUT", "/first")
        with pytest.raises(ApiUnreachable, match="closed before an answer"):
            await http.request("PUT", "/second")
        assert len(server.asked) == 2
        assert await http.request("PUT", "/second") is True


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async def once(asked: Asked) -> None:
        await asked.say(OK)
        asked.cut()

    async with serving(once) as server, Http(server.url) as http:
        for number in (1, 2, 3):
            assert await http.request("POST", "/runs") is True
            assert isinstance(http._route, Direct)
            await asyncio.wait([connection.lost for connection in http._route._open], timeout=60)
            assert server.connections == number


async def test_a_connection_that_is_closed_before_it_is_used_brings_no_answer() -> None:
    async with serving(well) as server:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(loop), "127.0.0.1", server.port)
        connection.abort()
        await connection.lost
        with pytest.raises(NoAnswer, match="closed"):
            await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", 1, patient=True)


async def test_a_fresh_connection_that_says_nothing_is_not_tried_again() -> None:
    async def cut(asked: Asked) -> None:
        asked.cut()

    async with serving(cut) as server, Http(server.url) as http:
        with pytest.raises(ApiUnreachable):
            await http.fetch("PUT", "/runs", repeatable=True)
        assert len(server.asked) == 1


@pytest.mark.parametrize("part", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\ncontent-le", OK[:-1]])
async def test_an_answer_cut_off_is_none_and_is_not_asked_for_again(part: bytes) -> None:
    async def cut(asked: Asked) -> None:
        if asked.line.startswith("GET /api/v1/first"):
            await asked.say(OK)
            return
        await asked.say(part)
        asked.cut()

    async with serving(cut) as server, Http(server.url) as http:
        await http.request("GET", "/first")
        with pytest.raises(ApiUnreachable, match="in mid-answer"):
            await http.fetch("PUT", "/runs", repeatable=True)
        assert len(server.asked) == 2


async def test_what_is_not_http_is_no_answer() -> None:
    async def babble(asked: Asked) -> None:
        await asked.say(b"-ERR unknown command\r\n")

    async with serving(babble) as server, Http(server.url) as http:
        with pytest.raises(ApiUnreachable, match="not HTTP"):
            await http.request("GET", "/runs")
        await server.until(lambda: server.open == 0)


async def test_an_answer_to_nothing_closes_the_connection() -> None:
    async def twice(asked: Asked) -> None:
        await asked.say(OK + OK)

    async with serving(twice) as server, Http(server.url) as http:
        assert await http.request("GET", "/runs") is True
        assert await http.request("GET", "/runs") is True
        assert server.connections == 2


async def test_a_time_that_is_set_holds_for_the_whole_answer() -> None:
    async def drip(asked: Asked) -> None:
        await asked.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while not asked.writer.is_closing():
            await asked.say(b" ")
            await asyncio.sleep(0.01)

    async with serving(drip) as server, Http(server.url) as http:
        with pytest.raises(ApiUnreachable, match=r"no answer within 0\.2 s"):
            await http.fetch("GET", "/runs", timeout=0.2)
        await server.until(lambda: server.open == 0)


async def test_silence_ends_a_request_and_its_connection() -> None:
    async def nothing(asked: Asked) -> None:
        return

    async with serving(nothing) as server, Http(server.url, timeout=0.1) as http:
        with pytest.raises(ApiUnreachable, match=r"no answer within 0\.1 s"):
            await http.request("GET", "/runs")


async def test_who_is_cancelled_leaves_no_connection_behind() -> None:
    left = asyncio.Event()

    async def hold(asked: Asked) -> None:
        await left.wait()

    async with serving(hold) as server, Http(server.url) as http:
        asking = asyncio.create_task(http.request("POST", "/events/claim", timeout=60))
        await server.until(lambda: bool(server.asked))
        asking.cancel()
        left.set()
        await server.until(lambda: server.open == 0)
        assert asking.cancelled()


async def test_closing_ends_what_is_under_way() -> None:
    held = asyncio.Event()

    async def hold(asked: Asked) -> None:
        await held.wait()

    async with serving(hold) as server:
        http = Http(server.url)
        asking = asyncio.create_task(http.request("POST", "/events/claim"))
        await server.until(lambda: bool(server.asked))
        await http.close()
        with pytest.raises(ApiUnreachable):
            await asking
        held.set()


async def test_nobody_there() -> None:
    async with serving(well) as server:
        pass
    async with Http(server.url) as http:
        with pytest.raises(ApiUnreachable, match=f"no answer from {server.url}"):
            await http.request("GET", "/runs")
    async with Http("http://nowhere.invalid") as http:
        with pytest.raises(ApiUnreachable):
            await http.request("GET", "/runs")


@pytest.mark.parametrize("token", ["secret\r\nx: y", "secret\n", "sécret"])
async def test_a_token_that_cannot_be_sent_is_not_shown_either(token: str) -> None:
    async with serving(well) as server, Http(server.url, token=token) as http:
        with pytest.raises(ApiUnreachable, match="authorization") as caught:
            await http.request("GET", "/runs")
    assert "cret" not in str(caught.value)
    assert server.asked == []


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context for `name`, and the file that makes it believed in."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)]
    now = datetime.now(UTC)  # noqa: TID251 - a certificate is valid by the calendar
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    none = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


class TestEncrypted:
    async def test_a_server_that_is_believed_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        context, file = certificate(tmp_path, "127.0.0.1")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with serving(well, context) as server, Http(f"https://127.0.0.1:{server.port}") as http:
            assert await asyncio.gather(*[http.request("POST", "/runs", json="x" * 100_000) for _ in range(5)])
            assert await http.request("GET", "/runs") is True

    async def test_one_that_is_not(self, tmp_path: Path) -> None:
        context, _ = certificate(tmp_path, "127.0.0.1")
        async with serving(well, context) as server, Http(f"https://127.0.0.1:{server.port}") as http:
            with pytest.raises(ApiUnreachable, match="certificate verify failed"):
                await http.request("GET", "/runs")
            assert server.asked == []

    async def test_one_with_the_name_of_another(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        context, file = certificate(tmp_path, "elsewhere.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with serving(well, context) as server, Http(f"https://127.0.0.1:{server.port}") as http:
            with pytest.raises(ApiUnreachable, match="certificate verify failed"):
                await http.request("GET", "/runs")
            assert server.asked == []

    async def test_one_that_speaks_plainly(self) -> None:
        async with serving(well) as server, Http(f"https://127.0.0.1:{server.port}", timeout=0.3) as http:
            with pytest.raises(ApiUnreachable):
                await http.request("GET", "/runs")


class TestProxies:
    @pytest.fixture(autouse=True)
    def none_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    @pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
    async def test_the_environments_is_asked(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serving(well) as proxy:
            monkeypatch.setenv(name, proxy.url)
            async with Http("http://api.test", token="t") as http:
                assert await http.request("GET", "/runs") is True
            (asked,) = proxy.asked
        assert asked.line == "GET http://api.test/api/v1/runs HTTP/1.1"
        assert "bearer t" in asked.head.lower()

    async def test_what_it_says_of_itself_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def full(asked: Asked) -> None:
            await asked.say(b"HTTP/1.1 502 Bad gateway\r\ncontent-length: 0\r\n\r\n")

        async with serving(full) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with Http("http://api.test") as http:
                with pytest.raises(Unavailable):
                    await http.request("GET", "/runs")

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_never_for_this_machine(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serving(well) as proxy, serving(well) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            async with Http(f"http://{host}:{server.port}") as http:
                assert await http.request("GET", "/runs") is True
            assert proxy.connections == 0

    async def test_not_where_the_environment_excepts_the_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serving(well) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
            async with Http("http://nowhere.invalid") as http:
                with pytest.raises(ApiUnreachable):
                    await http.request("GET", "/runs")
            assert proxy.connections == 0
