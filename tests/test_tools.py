"""The three example tools, and the weather's client against a real HTTP wire."""

import doctest
import http.client
import inspect
import json
import locale
import multiprocessing
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from ptc.tools import CityTools, get_date, get_time, get_weather, known_cities, sample, weather
from ptc.tools import city as tools

NOW = "2026-11-23T13:05:00+00:00"
PARIS = {
    "city": "Paris",
    "temperature_c": 9.4,
    "condition": "light rain",
    "wind_kmh": 14.0,
    "source": "sample data",
}
pinned = CityTools(now=NOW)


@pytest.fixture(autouse=True)
def not_live(monkeypatch):
    monkeypatch.delenv("PTC_LIVE", raising=False)


# --- time and date


@pytest.mark.parametrize(
    ("city", "time", "date"),
    [
        ("Paris", "14:05 (UTC+1)", "Monday, 23 November 2026"),
        ("Reykjavik", "13:05 (UTC+0)", "Monday, 23 November 2026"),
        ("Honolulu", "03:05 (UTC-10)", "Monday, 23 November 2026"),
        ("Kathmandu", "18:50 (UTC+5:45)", "Monday, 23 November 2026"),
        ("Auckland", "02:05 (UTC+13)", "Tuesday, 24 November 2026"),
    ],
)
def test_a_pinned_moment_is_told_in_the_citys_own_time(city, time, date):
    """One moment, five clocks: half hours, both sides of midnight, both sides of Greenwich."""
    assert pinned.get_time(city) == time
    assert pinned.get_date(city) == date


def test_offsets_west_of_greenwich_keep_their_minutes():
    """St John's is at UTC-3:30, not at UTC-4:30."""
    assert pinned.get_time("America/St_Johns") == "09:35 (UTC-3:30)"


def test_summer_time_is_kept():
    """The same hour in UTC is another one in Paris in July."""
    assert CityTools(now="2026-07-01T12:00Z").get_time("Paris") == "14:00 (UTC+2)"


@pytest.mark.parametrize(
    "city",
    [
        *("são paulo", "SAO PAULO", "  São   Paulo ", "Sa\u0303o Paulo"),
        *("São Paulo, Brazil", "Sao Paulo, BR", "America/Sao_Paulo", "america/sao_paulo"),
    ],
)
def test_a_city_is_found_however_it_is_written(city):
    """Case, accents, spaces and the country's name don't matter; a zone's name works too."""
    assert pinned.get_time(city) == "10:05 (UTC-3)"


@pytest.mark.parametrize("now", [NOW, datetime.fromisoformat(NOW), "2026-11-23T14:05+01:00"])
def test_now_is_a_datetime_or_its_text(now):
    """An aware datetime, its ISO text, or the same moment in another zone."""
    assert CityTools(now=now).get_time("Tokyo") == "22:05 (UTC+9)"


def test_without_now_the_clock_is_real():
    """The time told is that of the moment of the call."""
    tokyo = timezone(timedelta(hours=9))
    before = datetime.now(tokyo)
    told = get_time("Tokyo")
    assert told in {f"{t:%H:%M} (UTC+9)" for t in (before, datetime.now(tokyo))}
    assert str(before.year) in get_date("Tokyo")


@pytest.mark.parametrize("now", ["2026-11-23T13:05", "tomorrow", datetime(2026, 11, 23)])
def test_a_now_without_offset_is_refused_at_once(now):
    """A naive time would mean another moment on every machine; the message shows the way out."""
    with pytest.raises(ValueError, match=re.escape(repr(str(now))) + r".*\+01:00"):
        CityTools(now=now)


@pytest.mark.parametrize("tool", [pinned.get_time, pinned.get_date, pinned.get_weather])
@pytest.mark.parametrize(
    "city",
    [
        "Atlantis",
        "Paris, Texas",
        "",
        " ",
        ",",
        "../etc/passwd",
        "America",
        "a\0b",
        "\udc80",
        "x" * 999,
    ],
)
def test_an_unknown_city_is_named_with_the_known_ones(tool, city):
    """Nothing is guessed: no Paris for "Paris, Texas"."""
    with pytest.raises(ValueError) as error:
        tool(city)
    if city != "\udc80":  # which no URL can carry
        assert repr(city) in str(error.value)
        assert "Paris, London, Tokyo" in str(error.value)


def test_every_known_city_answers_all_three():
    """The sample has cities on all continents, each with a real zone and a full weather."""
    assert len(known_cities()) >= 25
    for city in known_cities():
        assert re.fullmatch(r"\d\d:\d\d \(UTC[+-]\d+(:\d\d)?\)", pinned.get_time(city))
        answer = pinned.get_weather(city)
        assert answer["city"] == city
        assert isinstance(answer["temperature_c"], float) and answer["wind_kmh"] >= 0
        assert not answer["condition"].startswith("weather code")


def test_each_day_and_month_has_its_name():
    """Over a year of days, as the standard library names them in English."""
    for day in range(0, 365, 9):
        then = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        written = f"{then:%A}, {then.day} {then:%B} 2026"
        assert CityTools(now=then).get_date("London") == written


def test_names_stay_english_in_another_locale():
    """Outputs are compared, so they must not change with the reader's system."""
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8", "German", "French"):
        try:
            locale.setlocale(locale.LC_TIME, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no other locale is installed here")
    try:
        assert pinned.get_date("Paris") == "Monday, 23 November 2026"
    finally:
        locale.setlocale(locale.LC_TIME, before)


# --- the tools as tools


def test_the_tools_cross_to_another_process():
    """Their pickles carry the delays and the pinned moment."""
    for tool in (pinned.get_time, pinned.get_date, pinned.get_weather, get_time, get_weather):
        again = pickle.loads(pickle.dumps(tool))
        assert again.__self__ == tool.__self__ and again.__name__ == tool.__name__


def test_the_delay_is_slept(monkeypatch):
    """Each tool sleeps its own seconds, once."""
    slept = []
    monkeypatch.setattr(tools, "sleep", slept.append)
    slow = CityTools(time=1, date=2, weather=3)
    slow.get_time("Paris"), slow.get_date("Paris"), slow.get_weather("Paris")
    assert slept == [1, 2, 3]


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["time", "date", "weather"])
def test_an_impossible_delay_is_refused_at_once(name, delay):
    """Not later, in a worker."""
    with pytest.raises(ValueError, match=f"{name}={delay!r}"):
        CityTools(**{name: delay})


def test_the_registry_holds_the_three_with_their_descriptions():
    """A model reads what each does and what a city is."""
    registry = CityTools().registry()
    assert list(registry) == ["get_time", "get_date", "get_weather"]
    for name in registry:
        city = registry.get_schema(name)["properties"]["city"]
        assert city["type"] == "string" and "Lagos, Nigeria" in city["description"]
        assert len(inspect.getdoc(getattr(CityTools, name))) < 120


def test_the_examples_that_a_model_reads_are_no_answers_of_the_lessons():
    """A small model recites them without a call, and nobody could tell."""
    said = json.dumps(CityTools().registry().to_wire(), ensure_ascii=False)
    for value in ("Paris", "14:05", "UTC+1", "23 November", "2026", "9.4"):
        assert value not in said
    for city in ("Istanbul", "Lagos, Nigeria"):
        assert city in said and sample.find_place(city)


def test_the_registry_passes_options_to_each_tool(monkeypatch):
    """``longest_first`` adds each tool's delay; an option given by the caller goes before."""
    from ptc.registry import ToolRegistry

    seen = {}
    monkeypatch.setattr(ToolRegistry, "register", lambda self, fn, **o: seen.update({fn: o}))
    slow = CityTools(time=1, weather=3)
    slow.registry(timeout=5)
    assert seen[slow.get_time] == {"timeout": 5}
    slow.registry(longest_first=True)
    assert [seen[t]["expected_seconds"] for t in (slow.get_time, slow.get_weather)] == [1, 3]
    slow.registry(longest_first=True, expected_seconds=9)
    assert seen[slow.get_time] == {"expected_seconds": 9}


# --- the sample server


def test_the_weather_is_that_of_the_sample():
    """Through the same client as the real one, and it says that it is sample data."""
    assert get_weather("paris, france") == PARIS


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("[::1]:80", 200),
        (None, 200),
        ("weather.example", 403),
        ("127.0.0.1.example", 403),
        ("", 403),
    ],
)
def test_a_page_whose_name_leads_here_is_refused(host, status):
    """DNS rebinding: the browser sends the page's own name as Host."""
    address = weather.sample_url().removeprefix("http://")
    line = http.client.HTTPConnection(address, timeout=30)
    line.putrequest("GET", "/v1/search?name=Rome", skip_host=True)
    if host is not None:
        line.putheader("Host", host)
    line.endheaders()
    response = line.getresponse()
    assert response.status == status
    assert ("results" in json.loads(response.read())) == (status == 200)
    line.close()


def test_many_first_calls_at_once_start_one_server():
    """32 threads in a fresh process share one server, and each gets its own city's answer."""
    assert run_script(MANY) == "32 answers, 1 server, 1 thread"


MANY = """
import threading
from ptc.tools import sample, weather
made, cities = [], sample.known_cities()
start = weather.SampleServer.__init__
weather.SampleServer.__init__ = lambda self, *a: (made.append(self), start(self, *a))[1]
gate, answers = threading.Barrier(32), []
def call(i):
    city = cities[i % len(cities)]
    gate.wait()
    answers.append(get_weather(city)["city"] == city)
threads = [threading.Thread(target=call, args=(i,)) for i in range(32)]
[t.start() for t in threads], [t.join() for t in threads]
serving = [t for t in threading.enumerate() if t.name == "ptc sample weather"]
print(sum(answers), "answers,", len(made), "server,", len(serving), "thread")
"""


def test_connections_are_kept(monkeypatch):
    """A new one for each request would use up a machine's ports after some ten thousand calls."""
    accepted = []
    accept = weather.SampleServer.get_request
    counting = lambda self: (accepted.append(self), accept(self))[1]  # noqa: E731
    monkeypatch.setattr(weather.SampleServer, "get_request", counting)
    for _ in range(20):
        get_weather("Paris")
    assert len(accepted) <= 1


def test_a_script_that_asked_the_server_ends():
    """Neither the server nor its kept connections hold the interpreter."""
    assert run_script("get_weather('Paris'); print('done')") == "done"


def test_the_server_is_silent():
    """Not a line on stderr, also where a client hangs up in the middle."""
    script = """
import socket, struct, time
from ptc.tools import sample, weather
port = int(weather.sample_url().rsplit(":")[-1])
for request in (b"GET /v1/sea", b"GET /v1/search?name=Rome HTTP/1.1\\r\\n\\r\\n", b"?\\r\\n\\r\\n"):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(request)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
time.sleep(0.2)
print(get_weather("Lima")["city"])
"""
    assert run_script(script) == "Lima"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_its_own_server():
    """The parent's server has no thread in the child, and its lock may be held there."""
    script = """
import os, warnings
warnings.simplefilter("ignore")
from ptc.tools import sample, weather
get_weather("Paris")
mine = weather.sample_url()
weather._lock.acquire()  # as a thread holds it that asks for the address at that very moment
if not (pid := os.fork()):
    answer = get_weather("Tokyo")
    os._exit(0 if answer["city"] == "Tokyo" and weather.sample_url() != mine else 1)
status = os.waitpid(pid, 0)[1]
weather._lock.release()
print(status, get_weather("Rome")["city"], weather.sample_url() == mine)
"""
    assert run_script(script) == "0 Rome True"


def test_importing_the_tools_brings_no_http_client():
    """It enters with the first request."""
    script = "import sys; print({'httpx2', 'openai', 'matplotlib'} & {*sys.modules})"
    assert run_script(script) == "set()"


def run_script(script, **environment):
    """What a fresh interpreter prints; stderr must stay empty, and it must end by itself."""
    script = f"from ptc.tools import get_weather\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("path", "params", "status", "answer"),
    [
        ("/v1/search", {"name": "Atlantis"}, 200, {"generationtime_ms": 0.5}),
        ("/v1/search", {"name": "Paris", "count": "0"}, 400, "between 1 and 100"),
        ("/v1/search", {}, 400, "'name'"),
        ("/v1/forecast", {"latitude": "95", "longitude": "0"}, 400, "-90 to 90°. Given: 95.0"),
        ("/v1/forecast", {"latitude": "x", "longitude": "0"}, 400, "'x'"),
        ("/v1/forecast", {"latitude": "0", "longitude": "0"}, 400, "No data"),
        ("/v2/forecast", {}, 404, "Not Found"),
    ],
)
def test_the_sample_server_answers_and_refuses_like_the_real_one(path, params, status, answer):
    """No ``results`` where nothing is found; ``error`` and ``reason`` where a parameter is bad."""
    got_status, got = sample.sample_answer(path, params)
    assert got_status == status
    if status == 200:
        assert got == answer
    else:
        assert got["error"] is True and answer in got["reason"]


def test_the_sample_forecast_has_the_real_shape():
    """Only the values asked for, each with its unit, and the frame around them."""
    at = {"latitude": "48.85", "longitude": "2.35", "current": "temperature_2m,weather_code"}
    status, answer = sample.sample_answer("/v1/forecast", at)
    assert status == 200
    assert answer["current"] == {
        "time": "2026-11-23T13:00",
        "interval": 900,
        "temperature_2m": 9.4,
        "weather_code": 61,
    }
    assert answer["current_units"]["temperature_2m"] == "°C"
    assert answer["timezone"] == "GMT" and answer["elevation"] == 42.0


# --- the live service, played by a server of the test

BERLIN = {"id": 2950159, "name": "Berlin", "latitude": 52.52437, "longitude": 13.41053}
FORECAST = {
    "latitude": 52.52,
    "longitude": 13.419998,
    "current_units": {"temperature_2m": "°C", "weather_code": "wmo code", "wind_speed_10m": "km/h"},
    "current": {
        "time": "2026-11-23T13:00",
        "interval": 900,
        "temperature_2m": -0.5,
        "weather_code": 71,
        "wind_speed_10m": 12,
    },
}


class Server(ThreadingHTTPServer):
    request_queue_size = 64


class Played:
    """A service whose answers a test sets: path to (status, body), a body is text or JSON."""

    def __init__(self):
        self.answers = {
            "/v1/search": (200, {"results": [BERLIN], "generationtime_ms": 0.6}),
            "/v1/forecast": (200, FORECAST),
        }
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()
        played = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                played.asked.append((path, dict(parse_qsl(query))))
                played.hold.wait(30)
                status, body = played.answers[path]
                self.send_response(status)
                self.end_headers()
                body = body if isinstance(body, str) else json.dumps(body)
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def live(monkeypatch):
    """The client in live mode, with the real service's addresses pointing at a played one."""
    played = Played()
    monkeypatch.setenv("PTC_LIVE", "1")
    service = weather.OPEN_METEO._replace(geocoding=played.url, forecast=played.url)
    monkeypatch.setattr(weather, "OPEN_METEO", service)
    yield played
    played.close()


def test_live_asks_for_the_place_then_for_its_weather(live):
    """Two requests, with the documented parameters; the answer names its source."""
    assert get_weather("Berlin") == {
        "city": "Berlin",
        "temperature_c": -0.5,
        "condition": "light snowfall",
        "wind_kmh": 12,
        "source": "Open-Meteo.com",
    }
    where = {"latitude": "52.52437", "longitude": "13.41053"}
    assert live.asked == [
        ("/v1/search", {"name": "Berlin", "count": "1"}),
        ("/v1/forecast", {**where, "current": "temperature_2m,weather_code,wind_speed_10m"}),
    ]


def test_the_sample_is_asked_for_the_same_things_as_the_real_service(live, monkeypatch):
    """Both modes run the same client: the same paths with the same parameters."""
    seen = []
    answer = sample.sample_answer
    monkeypatch.setattr(sample, "sample_answer", lambda *a: (seen.append(a), answer(*a))[1])
    get_weather("Berlin")
    monkeypatch.delenv("PTC_LIVE")
    get_weather("Berlin")
    assert seen == live.asked


def test_live_is_only_the_value_1(live, monkeypatch):
    """``PTC_LIVE=0`` stays at home."""
    monkeypatch.setenv("PTC_LIVE", "0")
    assert get_weather("Berlin")["source"] == "sample data"
    assert live.asked == []


def test_live_sends_any_name_as_it_is(live):
    """A name's letters, signs and spaces arrive unchanged."""
    get_weather("Zürich & Köln #1?")
    assert live.asked[0][1]["name"] == "Zürich & Köln #1?"


def test_live_says_so_where_nothing_is_found(live):
    """A search without hits has no "results" at all."""
    live.answers["/v1/search"] = 200, {"generationtime_ms": 0.2}
    with pytest.raises(ValueError, match=r"'Xqzt'.*larger one nearby"):
        get_weather("Xqzt")


@pytest.mark.parametrize("path", ["/v1/search", "/v1/forecast"])
@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (429, {"error": True, "reason": "Too many concurrent requests"}, ConnectionError, "many"),
        (500, {"error": True, "reason": "Internal Server Error"}, ConnectionError, "Internal"),
        (502, "<html>Bad Gateway</html>", ConnectionError, "Bad Gateway"),
        (302, "", ConnectionError, "302"),
        (200, "<html>Welcome to the hotel</html>", ConnectionError, "hotel"),
        (200, '{"results": [', ConnectionError, "200"),
        (200, [1, 2], ConnectionError, "200"),
        (400, {"error": True, "reason": "Value is no number"}, ValueError, "no number"),
        (404, "gone", ValueError, "gone"),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(live, path, status, body, error, says):
    """ConnectionError is what the retry policy repeats; ValueError is for the model to mend."""
    live.answers[path] = status, body
    with pytest.raises(error, match=says) as raised:
        get_weather("Berlin")
    assert type(raised.value) is error


def test_a_forecast_that_lacks_a_value_is_no_answer(live):
    """It isn't filled with a guess."""
    live.answers["/v1/forecast"] = 200, {"current": {"temperature_2m": 1.0}}
    with pytest.raises(ConnectionError, match="weather_code, wind_speed_10m"):
        get_weather("Berlin")


def test_an_unlisted_weather_code_is_told_as_it_is(live):
    """Codes may be added; the number is better than nothing."""
    current = {**FORECAST["current"], "weather_code": 42}
    live.answers["/v1/forecast"] = 200, {**FORECAST, "current": current}
    assert get_weather("Berlin")["condition"] == "weather code 42"


def test_a_silent_service_becomes_a_timeout_error(live, monkeypatch):
    """After :data:`ptc.tools.weather.TIMEOUT` seconds without an answer."""
    monkeypatch.setattr(weather, "TIMEOUT", 0.05)
    live.hold.clear()
    asked = monotonic()
    with pytest.raises(TimeoutError, match=r"127\.0\.0\.1 within 0\.05 s"):
        get_weather("Berlin")
    assert monotonic() - asked < 3


def test_a_refused_connection_becomes_a_connection_error(live, monkeypatch):
    """Nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setattr(weather, "OPEN_METEO", weather.Service(dead, dead, "nobody"))
        with pytest.raises(ConnectionError, match=r"no answer from 127\.0\.0\.1"):
            get_weather("Berlin")


def test_the_client_goes_on_after_failures(live):
    """One shared client: a broken answer doesn't spoil the next."""
    live.answers["/v1/forecast"] = 500, ""
    with ThreadPoolExecutor(8) as pool:
        failed = [pool.submit(get_weather, "Berlin") for _ in range(16)]
        assert all(isinstance(f.exception(30), ConnectionError) for f in failed)
        live.answers["/v1/forecast"] = 200, FORECAST
        assert {f["city"] for f in pool.map(get_weather, ["Berlin"] * 16)} == {"Berlin"}


def test_the_table_of_weather_codes_is_complete():
    """The 28 codes of Open-Meteo's documentation, each in its own words."""
    codes = "0 1 2 3 45 48 51 53 55 56 57 61 63 65 66 67 71 73 75 77 80 81 82 85 86 95 96 99"
    table = sample.sample_data()["weather_codes"]
    assert list(table) == codes.split()
    assert len({*table.values()}) == 28


def test_the_sample_names_zones_that_exist():
    """Each zone is in the time zone database of this machine, under its own name."""
    for city in sample.sample_data()["cities"]:
        assert ZoneInfo(city["place"]["timezone"]).key == city["place"]["timezone"]


def test_a_process_pool_runs_the_tools():
    """Each process has its own server and client."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(pinned.get_time, "Paris").result(30) == "14:05 (UTC+1)"
        assert pool.submit(get_weather, "Paris").result(30) == PARIS


@pytest.mark.parametrize("module", [tools, sample, weather])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
