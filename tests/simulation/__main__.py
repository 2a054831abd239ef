"""`python -m tests.simulation` plays the week and writes its table into docs/routing.md."""

from tests.simulation.table import PAGE, table, written

if __name__ == "__main__":
    rows = table()
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    print(rows)
