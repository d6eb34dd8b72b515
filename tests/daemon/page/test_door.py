"""Who may come in: host names, logins, forged posts, headers; and that nothing personal leaks on the way."""

from __future__ import annotations

import aiohttp
import anyio
import pytest
import structlog
from pydantic import ValidationError

from daemon.page import password
from daemon.settings import Web
from tests.daemon.house import House
from tests.daemon.page.browsing import ENGLISH, Visitor, serving, visiting
from tests.daemon.page.scenes import conflicts, number
from tests.daemon.store.building import HandClock

TOKEN = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery"
EVERYWHERE = "0.0.0.0"


async def test_every_answer_is_dressed(visitor: Visitor) -> None:
    for path in ("/", "/conflicts", "/beteiligte/1", "/login"):
        headers = (await visitor.get(path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    async with visitor.session.get(f"{visitor.url}/static/page.css") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/css"
        assert "max-age" in answer.headers["Cache-Control"]


async def test_the_cookie_cannot_be_read_nor_sent_from_elsewhere(firm: House) -> None:
    async with serving(firm.app) as url, aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
    async with serving(firm.app, token=TOKEN) as url, aiohttp.ClientSession() as session:
        headers = {"X-Forwarded-Proto": "https"}
        async with session.get(f"{url}/login", headers=headers) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9469", 200),
        ("localhost", 200),
        ("[::1]:9469", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1", 421),
    ],
)
async def test_a_foreign_name_is_rebinding(visitor: Visitor, host: str, status: int) -> None:
    assert (await visitor.get("/", Host=host)).status == status


async def test_a_proxy_s_name_must_be_allowed_and_needs_a_login(firm: House) -> None:
    async with visiting(firm.app, allowed_hosts=["sync.example"], token=TOKEN) as visitor:
        assert "/login" in (await visitor.get("/", Host="sync.example")).url
        assert (await visitor.get("/", Host="other.example")).status == 421


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host"]
)
async def test_behind_a_proxy_that_hides_its_name_it_asks_as_well(visitor: Visitor, header: str) -> None:
    answer = await visitor.get("/", **{header: "1"})
    assert answer.status == 403
    assert "web.token" in answer.text


async def test_nginx_as_it_comes_is_taken_for_a_proxy(firm: House) -> None:
    async with serving(firm.app) as url:
        port = int(url.rpartition(":")[2])
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with stream:
            await stream.send(f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert b" 403 " in await stream.receive()


async def test_bound_elsewhere_without_a_login_it_shows_nothing(firm: House) -> None:
    await conflicts(firm, 1)
    async with visiting(firm.app, host=EVERYWHERE) as visitor:
        for path in ("/", "/conflicts", "/beteiligte"):
            answer = await visitor.get(path)
            assert answer.status == 403
            assert "web.token" in answer.text
            assert number(0, 1) not in answer.body
        assert (await visitor.post("/conflicts/decide", {"keep": "espocrm", "id": 1})).status == 403
    assert (await firm.app.outside.store.waiting_conflicts())[0].decided is None


async def test_a_login_opens_and_ends(firm: House, clock: HandClock) -> None:
    async with visiting(firm.app, clock, host=EVERYWHERE, token=TOKEN) as visitor:
        assert (await visitor.get("/")).url == "/login"
        assert (await visitor.post("/login", {"secret": "wrong"})).status == 401
        inside = await visitor.post("/login", {"secret": TOKEN})
        assert (inside.status, inside.url) == (200, "/")
        assert "Abmelden" in inside.text
        clock.time += 10 * 3600
        assert (await visitor.get("/conflicts")).url == "/login"
        await visitor.post("/login", {"secret": TOKEN})
        assert (await visitor.post("/logout")).url == "/login"
        assert (await visitor.get("/")).url == "/login"


async def test_a_login_gives_a_new_cookie(firm: House) -> None:
    """Whoever planted one before gains nothing by it."""
    async with visiting(firm.app, token=TOKEN) as visitor:
        await visitor.get("/login")
        [before] = [cookie.value for cookie in visitor.session.cookie_jar]
        await visitor.post("/login", {"secret": TOKEN})
        [after] = [cookie.value for cookie in visitor.session.cookie_jar]
        assert before != after
        visitor.session.cookie_jar.clear()
        assert (await visitor.get("/", Cookie=f"kommsync={before}")).url == "/login"


async def test_a_password_is_kept_as_a_hash(firm: House) -> None:
    async with visiting(firm.app, password_hash=password.hashed(PASSWORD)) as visitor:
        await visitor.get("/")
        assert (await visitor.post("/login", {"secret": PASSWORD + "x"})).status == 401
        assert (await visitor.post("/login", {"secret": "x" * 1000})).status == 401
        assert (await visitor.post("/login", {"secret": PASSWORD})).url == "/"


async def test_who_guesses_must_wait(firm: House, clock: HandClock) -> None:
    async with visiting(firm.app, clock, language=ENGLISH, token=TOKEN) as visitor:
        await visitor.get("/login")
        for _ in range(5):
            assert (await visitor.post("/login", {"secret": "guess"})).status == 401
        refused = await visitor.post("/login", {"secret": TOKEN})
        assert refused.status == 429
        assert "in 61 seconds" in refused.text
        clock.time += 61
        await visitor.get("/login")
        assert (await visitor.post("/login", {"secret": TOKEN})).url == "/"


async def test_forged_posts_do_nothing(firm: House, visitor: Visitor) -> None:
    await conflicts(firm, 1)
    await visitor.get("/conflicts")
    wish = {"keep": "espocrm", "id": 1}
    token = visitor.token
    for fields, headers in (
        ({"form_token": ""}, {}),
        ({"form_token": "0" * 64}, {}),
        ({"form_token": "ä" * 64}, {}),
        ({"form_token": token}, {"Origin": "http://evil.example"}),
        ({"form_token": token}, {"Origin": "null"}),
        ({"form_token": token}, {"Host": "evil.example"}),
    ):
        answer = await visitor.post("/conflicts/decide", {**wish, **fields}, **headers)
        assert answer.status in (403, 421)
    visitor.session.cookie_jar.clear()
    assert (await visitor.post("/conflicts/decide", {**wish, "form_token": token})).status == 403
    assert (await firm.app.outside.store.waiting_conflicts())[0].decided is None


async def test_a_get_changes_nothing(firm: House, visitor: Visitor) -> None:
    await conflicts(firm, 1)
    for path in (
        "/conflicts/decide?keep=espocrm&id=1",
        "/conflicts/confirm",
        "/retry",
        "/deletions/settle",
        "/logout",
    ):
        assert (await visitor.get(path)).status == 405
    assert (await firm.app.outside.store.waiting_conflicts())[0].decided is None


async def test_no_number_and_no_address_is_in_a_link_or_a_log(firm: House, visitor: Visitor) -> None:
    [pair] = await conflicts(firm, 1)
    with structlog.testing.capture_logs() as logs:
        pages = [await visitor.get(path) for path in ("/", "/conflicts", f"/beteiligte/{pair.bet_nr}")]
        pages.append(await visitor.post("/conflicts/confirm", {"one": "1 espocrm"}))
        pages.append(await visitor.post("/conflicts/decide", {"keep": "espocrm", "id": 1}))
        pages.append(await visitor.post("/search", {"q": number(0)}))
        await visitor.post("/login", {"secret": "a-wrong-secret"})
    for page in pages:
        links = [part.partition('"')[0] for part in page.body.split('href="')[1:]]
        assert links
        assert not [link for link in links if number(0)[3:8] in link]
        assert number(0)[3:8] not in page.url
    assert [line["event"] for line in logs] == ["decided", "login_refused"]
    assert "49511" not in repr(logs)
    assert "a-wrong-secret" not in repr(logs)


async def test_errors_are_pages_too(firm: House, visitor: Visitor) -> None:
    assert (await visitor.get("/beteiligte/nonsense")).status == 404
    assert (await visitor.get("/beteiligte/4711")).status == 404
    with structlog.testing.capture_logs() as logs:
        await firm.app.outside.store._engine._database.close()
        broken = await visitor.get("/")
    assert broken.status == 503
    assert "Protokoll von kommsync" in broken.text
    assert logs[0]["event"] == "page_failed"
    assert broken.headers["Cache-Control"] == "no-store"


async def test_while_the_parts_are_exchanged_it_says_so() -> None:
    async with visiting(None) as visitor:
        answer = await visitor.get("/")
        assert answer.status == 503
        assert "startet gerade" in answer.text


def test_passwords() -> None:
    stored = password.hashed(PASSWORD)
    assert Web(password_hash=stored).password_hash is not None  # type: ignore[arg-type]
    assert password.fits(PASSWORD, stored)
    assert not password.fits(PASSWORD.upper(), stored)
    assert stored != password.hashed(PASSWORD)
    assert PASSWORD not in stored
    for nonsense in ("", "scrypt", "scrypt$a$8$1$c2FsdA==$a2V5", "$$$$$"):
        assert not password.fits(PASSWORD, nonsense)
    with pytest.raises(ValidationError):
        Web(password_hash=PASSWORD)  # type: ignore[arg-type]
