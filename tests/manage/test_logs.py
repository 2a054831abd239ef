"""Log files through the management API."""

from __future__ import annotations

import os
import time

import pytest

ON = "logging-to-file: true\n"


def at(second, text):
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(second))} INFO    x: {text}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WRITABLE_PATH", str(tmp_path / "w"))
    folder = tmp_path / "w" / "logs"
    folder.mkdir(parents=True)
    return folder


def write(folder, *lines, name="main.log", end="\n", mode="w"):
    with (folder / name).open(mode) as file:
        file.write("\n".join(lines) + end)


class TestLines:
    def test_without_files_there_is_nothing_to_read(self, managed):
        for method in ("GET", "DELETE"):
            answer = managed.ask(method, "/logs")
            assert answer.status_code == 400
            assert answer.json() == {"error": "logging to file disabled"}

    def test_without_a_folder_there_are_no_lines(self, manage, tmp_path, monkeypatch):
        monkeypatch.setenv("WRITABLE_PATH", str(tmp_path / "none"))
        managed = manage(ON)
        told = managed.get("/logs")
        assert (told["lines"], told["line-count"], told["latest-timestamp"]) == ([], 0, 0)
        answer = managed.ask("DELETE", "/logs")
        assert (answer.status_code, answer.json()) == (404, {"error": "log directory not found"})

    def test_the_newest_lines_also_from_older_files(self, manage, folder):
        write(folder, at(1, "old"), name="main-2020-01-01T000000.log")
        os.utime(folder / "main-2020-01-01T000000.log", (5, 5))
        write(folder, at(100, "a"), at(200, "b"), "  more of b", at(300, "half"), end="")
        managed = manage(ON)
        told = managed.get("/logs?limit=2")
        assert told["lines"] == [at(200, "b"), "  more of b"]
        assert (told["line-count"], told["latest-timestamp"]) == (2, 200)
        assert managed.get("/logs")["lines"][0] == at(1, "old")

    def test_only_what_came_after_a_moment(self, manage, folder):
        write(folder, at(1000, "a"), at(2000, "b"), "  more of b", at(3000, "c"))
        told = manage(ON).get("/logs?after=1500")
        assert told["lines"] == [at(2000, "b"), "  more of b", at(3000, "c")]
        assert (told["line-count"], told["latest-timestamp"]) == (4, 3000)

    def test_a_moment_to_come_stays_the_latest(self, manage, folder):
        write(folder, at(1000, "a"))
        told = manage(ON).get("/logs?after=9999")
        assert (told["lines"], told["latest-timestamp"]) == ([], 9999)

    @pytest.mark.parametrize("after", ["x", "-5", "0", "1.5"])
    def test_no_moment_at_all_means_everything(self, manage, folder, after):
        write(folder, at(1000, "a"))
        assert manage(ON).get(f"/logs?after={after}&lines=7")["lines"] == [at(1000, "a")]

    @pytest.mark.parametrize(
        ("limit", "error"),
        [("0", "must be greater than zero"), ("-1", "must be greater than zero"),
         ("x", "must be a positive integer")],
    )  # fmt: skip
    def test_a_limit_is_a_number(self, manage, folder, limit, error):
        answer = manage(ON).ask("GET", f"/logs?limit={limit}")
        assert (answer.status_code, answer.json()) == (400, {"error": f"invalid limit: {error}"})

    def test_reading_goes_on_behind_a_cursor(self, manage, folder):
        managed = manage(ON)
        write(folder, at(1, "a"))
        cursor = managed.get("/logs")["next-cursor"]
        assert managed.get(f"/logs?cursor={cursor}")["lines"] == []
        write(folder, at(2, "b"), mode="a")
        write(folder, at(3, "half"), mode="a", end="")
        told = managed.get(f"/logs?cursor={cursor}")
        assert told["lines"] == [at(2, "b")]
        assert "cursor-reset" not in told
        write(folder, " done", mode="a")
        assert managed.get(f"/logs?cursor={told['next-cursor']}")["lines"] == [
            at(3, "half done"),
        ]  # fmt: skip

    def test_a_file_that_turned_over_is_read_to_its_end(self, manage, folder):
        managed = manage(ON)
        write(folder, at(1, "a"))
        cursor = managed.get("/logs")["next-cursor"]
        write(folder, at(2, "b"), mode="a")
        (folder / "main.log").rename(folder / "main-2020-01-01T000000.log")
        write(folder, at(3, "c"))
        told = managed.get(f"/logs?cursor={cursor}")
        assert told["lines"] == [at(2, "b"), at(3, "c")]
        write(folder, at(4, "d"), mode="a")
        assert managed.get(f"/logs?cursor={told['next-cursor']}")["lines"] == [at(4, "d")]

    @pytest.mark.parametrize("cursor", ["!!", "e30", "bm8", "eyJmIjoieCIsIm8iOi01LCJ0IjowfQ"])
    def test_a_place_that_is_gone_leads_to_the_end(self, manage, folder, cursor):
        write(folder, at(1, "a"))
        told = manage(ON).get(f"/logs?cursor={cursor}")
        assert (told["lines"], told["cursor-reset"]) == ([at(1, "a")], True)

    def test_clearing_begins_anew(self, manage, folder):
        managed = manage(ON)
        write(folder, at(1, "a"))
        write(folder, at(1, "a"), name="main-2020-01-01T000000.log")
        write(folder, "kept", name="v1-messages-2020-01-01T000000-abc.log")
        cursor = managed.get("/logs")["next-cursor"]
        told = managed.ask("DELETE", "/logs").json()
        assert told == {"success": True, "message": "Logs cleared successfully", "removed": 2}
        assert sorted(p.name for p in folder.iterdir()) == [
            "main.log", "v1-messages-2020-01-01T000000-abc.log",
        ]  # fmt: skip
        write(folder, at(2, "new"), mode="a")
        told = managed.get(f"/logs?cursor={cursor}")
        assert (told["lines"], told["cursor-reset"]) == ([at(2, "new")], True)


class TestRequestLogs:
    NAME = "error-v1-messages-2025-12-23T195811-a1b2c3d4.log"

    def test_failed_requests_are_listed_newest_first(self, manage, folder):
        for number, name in enumerate(["error-a-1.log", self.NAME, "v1-ok-2.log"]):
            write(folder, "x", name=name)
            os.utime(folder / name, (number + 1, number + 1))
        told = manage().get("/request-error-logs")["files"]
        assert told == [
            {"name": self.NAME, "size": 2, "modified": 2},
            {"name": "error-a-1.log", "size": 2, "modified": 1},
        ]

    def test_where_all_requests_are_logged_there_is_no_such_list(self, manage, folder):
        write(folder, "x", name=self.NAME)
        assert manage("request-log: true\n").get("/request-error-logs") == {"files": []}

    def test_a_file_is_given_whole(self, manage, folder):
        write(folder, "secret story", name=self.NAME)
        managed = manage()
        for path in (f"/request-error-logs/{self.NAME}", "/request-log-by-id/a1b2c3d4"):
            answer = managed.ask("GET", path)
            assert answer.text == "secret story\n"
            assert self.NAME in answer.headers["content-disposition"]

    @pytest.mark.parametrize(
        ("path", "status", "error"),
        [
            ("/request-error-logs/..%5Cx.log", 400, "invalid log file name"),
            ("/request-error-logs/error-..log", 400, "invalid log file name"),
            ("/request-error-logs/main.log", 404, "log file not found"),
            ("/request-error-logs/error-none.log", 404, "log file not found"),
            ("/request-log-by-id/%20", 400, "missing request ID"),
            ("/request-log-by-id/a.b", 400, "invalid request ID"),
            ("/request-log-by-id/ffffffff", 404,
             "log file not found for the given request ID"),
        ],
    )  # fmt: skip
    def test_nothing_else_is_given(self, manage, folder, path, status, error):
        write(folder, "x")
        answer = manage().ask("GET", path)
        assert (answer.status_code, answer.json()) == (status, {"error": error})

    def test_a_link_leads_nowhere(self, manage, folder, tmp_path):
        (tmp_path / "private").write_text("private")
        (folder / "error-link.log").symlink_to(tmp_path / "private")
        assert manage().ask("GET", "/request-error-logs/error-link.log").status_code == 404
